"""An answer as rows of a table: one for each window of the timeline, for Parquet and data frames."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from triptych_client.contract import CHANNELS, EMOTIONS
from triptych_client.errors import InvalidRequest

if TYPE_CHECKING:
    from triptych_client.results import Analysis

WINDOW_COLUMNS = (
    *("path", "start_s", "end_s", "label", "confidence"),
    *EMOTIONS,
    *(f"{channel}_{emotion}" for channel in CHANNELS for emotion in EMOTIONS),
)
"""Columns of the table with a row a window: the fused probabilities, and each channel alone; None: no evidence."""

LIBRARIES = ("pandas", "polars")


def window_rows(analysis: Analysis) -> Iterator[dict[str, Any]]:
    """Yield the windows of an answer's timeline as values by WINDOW_COLUMNS."""
    from triptych_client.timeline import leading  # which is made of results, and they of this

    for window in analysis.timeline:
        label, confidence = leading(window.probabilities)
        row: dict[str, Any] = dict.fromkeys(WINDOW_COLUMNS)
        row.update(path=analysis.clip.path, start_s=window.start_s, end_s=window.end_s, label=label)
        row["confidence"] = confidence if label else None
        row.update(window.probabilities or {})
        for channel, alone in window.channels.items():
            row.update({f"{channel}_{emotion}": share for emotion, share in (alone or {}).items()})
        yield row


def frame(analysis: Analysis, library: str | None = None) -> Any:
    """Return a data frame of `window_rows`, of pandas or else of polars; InvalidRequest where there is none."""
    if library not in (None, *LIBRARIES):
        raise InvalidRequest(f"library is {library!r}; a frame is one of {' or '.join(LIBRARIES)}")
    there = next((name for name in LIBRARIES if library in (None, name) and find_spec(name)), None)
    if there is None:
        wanted = library or "pandas or polars"
        raise InvalidRequest(f"a frame needs {wanted}, which is not installed: pip install {library or 'pandas'}")
    rows = list(window_rows(analysis))
    columns = {name: [row[name] for row in rows] for name in WINDOW_COLUMNS}
    if there == "pandas":
        import pandas as pd

        texts = ("path", "label")
        return pd.DataFrame(
            {name: pd.Series(cells, dtype="object" if name in texts else "float64") for name, cells in columns.items()}
        )
    import polars as pl

    types = {name: pl.String if name in ("path", "label") else pl.Float64 for name in WINDOW_COLUMNS}
    return pl.DataFrame(columns, schema=types)
