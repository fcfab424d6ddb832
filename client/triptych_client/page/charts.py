"""The charts of a page as SVG: Vega-Lite specifications, drawn when the page is written.

vl-convert renders them without a browser, so the page needs no charting code, and its scripts can be named by hash.
Colours are the page's CSS variables. Every chart of time has the same margins, so that one position fits all of them;
it comes in two widths, for screens and for phones, of which CSS shows one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import vl_convert

from triptych_client.contract import CHANNELS, EMOTIONS
from triptych_client.results import Dimensions, Logits, Probabilities

VEGA_LITE = "5.20"
"""The version that specifications are written for; vl-convert has it built in."""

LEFT_PX, RIGHT_PX = 44, 12
"""Margins of every chart: the vertical axis is in the left one."""

MOST_POINTS = 300
"""A curve has at most so many points: more than one a pixel of a phone says nothing."""

Spec = dict[str, Any]


@dataclass(frozen=True)
class Width:
    """One of the widths that a chart is drawn in; `ticks` is about how many times its axis names."""

    name: str
    px: int
    ticks: int


WIDTHS = (Width("wide", 920, 10), Width("narrow", 360, 5))


@dataclass(frozen=True)
class Drawing:
    """A chart in one width, and where in it time begins and ends, as shares of its width."""

    width: str
    svg: str
    left: float
    right: float


@dataclass(frozen=True)
class Moment:
    """A span of time with its value: probabilities by emotion, or a number; None: nothing is known then."""

    start_s: float
    end_s: float
    value: Probabilities | Dimensions | float | None


@dataclass(frozen=True)
class TimeCharts:
    """Draws what happens over a clip of `duration_s`."""

    duration_s: float

    def emotions(self, moments: Sequence[Moment], height: int = 190, *, axes: bool = True) -> list[Drawing]:
        """Stack the probabilities of the seven emotions; nothing is drawn where nothing is known."""
        rows = [
            {"t": time_s, "emotion": emotion, "p": value[emotion] if isinstance(value, Mapping) else 0}
            for time_s, value in _curve(moments)
            for emotion in EMOTIONS
        ]
        mark = {"type": "area", "interpolate": "monotone"}
        order = {"order": {"field": "order"}, "color": _colours("emotion", EMOTIONS)}
        y = _axis_of_shares("p", stack=True) if axes else {"field": "p", "stack": True, **_BARE}
        numbered = [{**row, "order": EMOTIONS.index(str(row["emotion"]))} for row in rows]
        return self._drawings(numbered, [{"mark": mark, "encoding": {"y": y, **order}}], height, axes)

    def share(self, moments: Sequence[Moment], height: int = 34) -> list[Drawing]:
        """Draw one probability as an area."""
        rows = [{"t": time_s, "p": value or 0} for time_s, value in _curve(moments)]
        y = {"field": "p", **_BARE}
        mark = {"type": "area", "interpolate": "monotone", "color": "var(--accent)"}
        return self._drawings(rows, [{"mark": mark, "encoding": {"y": y}}], height, axes=False)

    def dimensions(self, moments: Sequence[Moment], height: int = 120) -> list[Drawing]:
        """Draw valence and arousal as two lines, the second dashed."""
        rows = [
            {"t": time_s, "name": name, "v": getattr(value, name)}
            for time_s, value in _curve(moments)
            if isinstance(value, Dimensions)
            for name in ("valence", "arousal")
        ]
        axis = {"values": [-1, 0, 1], "title": None, "format": "+.0f", **_AXIS}
        y = {"field": "v", "type": "quantitative", "scale": {"domain": [-1, 1]}, "axis": axis}
        dashes = {"field": "name", "scale": {"domain": ["valence", "arousal"], "range": [[], [5, 4]]}, "legend": None}
        mark = {"type": "line", "color": "var(--text)", "strokeWidth": 2}
        return self._drawings(rows, [{"mark": mark, "encoding": {"y": y, "strokeDash": dashes}}], height, axes=True)

    def _drawings(self, rows: list[Spec], layers: list[Spec], height: int, axes: bool) -> list[Drawing]:
        return [self._drawing(rows, layers, height, axes, width) for width in WIDTHS]

    def _drawing(self, rows: list[Spec], layers: list[Spec], height: int, axes: bool, width: Width) -> Drawing:
        axis = {"title": None, "tickCount": width.ticks, "labelExpr": _CLOCK, **_AXIS} if axes else None
        domain = {"domain": [0, self.duration_s], "nice": False}
        x = {"field": "t", "type": "quantitative", "scale": domain, "axis": axis}
        layers = [{**layer, "encoding": {"x": x, **layer["encoding"]}} for layer in layers]
        below = 22 if axes else 2
        inner = width.px - LEFT_PX - RIGHT_PX
        padding = {"left": LEFT_PX, "right": RIGHT_PX, "top": 6, "bottom": below}
        spec = {"data": {"values": rows}, "layer": layers, "padding": padding, "width": inner, "height": height}
        return Drawing(width.name, _svg(spec), LEFT_PX / width.px, 1 - RIGHT_PX / width.px)


def contributions(by_channel: Mapping[str, Logits], names: Mapping[str, str]) -> list[Drawing]:
    """Draw what each channel adds to the logit of each emotion: bars to the left and the right of 0, stacked.

    `by_channel` has the channels that are there, `names` the emotions' in the language of the page.
    """
    rows = [
        {"emotion": names[emotion], "channel": channel, "logit": value, "order": CHANNELS.index(channel)}
        for channel, logits in by_channel.items()
        for emotion, value in logits.items()
    ]
    y = {
        "field": "emotion",
        "type": "nominal",
        "sort": [names[emotion] for emotion in EMOTIONS],
        "axis": {"title": None, **_AXIS, "grid": False},
    }
    axis = {"title": None, "format": "+.1f", **_AXIS}
    x = {"field": "logit", "type": "quantitative", "stack": "zero", "axis": axis}
    encoding = {"x": x, "y": y, "color": _colours("channel", CHANNELS), "order": {"field": "order"}}
    padding = {"left": 110, "right": RIGHT_PX, "top": 4, "bottom": 22}
    return [
        Drawing(
            width.name,
            _svg(
                {
                    "data": {"values": rows},
                    "mark": {"type": "bar"},
                    "encoding": encoding,
                    "padding": padding,
                    "width": width.px - 110 - RIGHT_PX,
                    "height": 190,
                }
            ),
            0,
            1,
        )
        for width in WIDTHS
    ]


_CLOCK = "floor(datum.value / 60) + ':' + format(floor(datum.value % 60), '02')"
_AXIS: Spec = {
    "labelColor": "var(--text)",
    "labelFontSize": 12,
    "gridColor": "var(--grid)",
    "domainColor": "var(--grid)",
    "tickColor": "var(--grid)",
}
_BARE: Spec = {"type": "quantitative", "scale": {"domain": [0, 1]}, "axis": None}


def _axis_of_shares(field: str, *, stack: bool) -> Spec:
    axis = {"values": [0, 0.5, 1], "format": "%", "title": None, **_AXIS}
    return {"field": field, "stack": stack, "type": "quantitative", "scale": {"domain": [0, 1]}, "axis": axis}


def _colours(field: str, values: Sequence[str]) -> Spec:
    scale = {"domain": list(values), "range": [f"var(--{value})" for value in values]}
    return {"field": field, "type": "nominal", "scale": scale, "legend": None}


def _svg(spec: Spec) -> str:
    look = {
        "background": None,
        "autosize": {"type": "none"},
        "config": {"view": {"stroke": None}, "font": "system-ui, sans-serif", "area": {"line": False}},
    }
    return vl_convert.vegalite_to_svg(json.dumps({**look, **spec}), vl_version=VEGA_LITE)


def _curve(moments: Sequence[Moment]) -> list[tuple[float, Any]]:
    """Return points of a curve: the middle of each span, and the clip's own ends; thinned to MOST_POINTS.

    Where nothing is known the curve falls to nothing at the edge of the span, and rises at its other edge.
    """
    step = -(-len(moments) // MOST_POINTS)
    kept = list(moments[::step]) if moments else []
    points = [((moment.start_s + moment.end_s) / 2, moment.value) for moment in kept]
    if kept:
        points = [(kept[0].start_s, kept[0].value), *points, (kept[-1].end_s, kept[-1].value)]
    edges = [(edge, None) for gap in kept if gap.value is None for edge in (gap.start_s + 1e-3, gap.end_s - 1e-3)]
    return sorted(((round(time_s, 3), value) for time_s, value in (*points, *edges)), key=lambda point: point[0])
