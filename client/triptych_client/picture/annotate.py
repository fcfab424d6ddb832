"""A copy of the clip that shows the answer: boxes, who is who, the emotion of the moment, and what is said."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import fontpkg_noto_sans
from PIL import Image, ImageDraw, ImageFont

from triptych_client.characters import printable
from triptych_client.errors import InvalidClip
from triptych_client.labels import Labels
from triptych_client.languages import labels_of
from triptych_client.picture.hide import hide
from triptych_client.picture.paths import Box, Faces
from triptych_client.picture.video import rewritten
from triptych_client.results import Analysis, Probabilities, Utterance
from triptych_client.timeline import Run, leading, pieces

COLOURS = {
    "anger": "#ff6b6b",
    "disgust": "#8fce5a",
    "fear": "#c39bff",
    "happiness": "#ffd24a",
    "sadness": "#74a8ff",
    "surprise": "#3fd6c3",
    "neutral": "#d5d8dc",
}
"""Colours that are told apart on any picture, on a dark ground."""
GROUND = (16, 18, 22)

TEXT_SHARE = 1 / 22
"""Height of letters as a share of the picture's shorter side, and at least SMALLEST_PX: they can be read on a phone."""
SMALLEST_PX = 12
MOST_LINES = 3
"""An utterance fills so many lines at most; a longer one ends with an ellipsis."""

FONT_FILE = fontpkg_noto_sans.ROOT / "files" / "NotoSans[wdth,wght].ttf"
"""Noto Sans (OFL 1.1): Latin, Greek and Cyrillic. Letters of other scripts are drawn as empty boxes."""


def annotated(analysis: Analysis, target: Path, lang: str = "en", *, redact: bool = False) -> None:
    """Write a copy of the answer's clip that shows the answer; with `redact` every face that was found is blurred.

    InvalidClip when the answer has no file, or one without pictures, or the file cannot be read.
    """
    source = analysis.clip.path
    if source is None or not Path(source).is_file():
        raise InvalidClip("there is no file to annotate", source)
    if not analysis.clip.has_video:
        raise InvalidClip("there is nothing to draw on: the clip has no video", source)
    rewritten(analysis, source, target, Annotator(analysis, labels_of(lang), redact=redact))


class Annotator:
    """Draws an answer on the pictures of its clip."""

    def __init__(self, analysis: Analysis, labels: Labels, *, redact: bool = False) -> None:
        self._analysis, self._labels, self._redact = analysis, labels, redact
        self._faces = Faces(analysis.faces)
        self._runs: Sequence[Run] = pieces(analysis.timeline)
        self._starts = [run.start_s for run in self._runs]
        shorter = min(analysis.clip.width or 0, analysis.clip.height or 0)
        self._px = max(SMALLEST_PX, round(shorter * TEXT_SHARE))
        self._font = ImageFont.truetype(str(FONT_FILE), self._px)

    def __call__(self, image: Image.Image, time_s: float) -> None:
        """Draw what the answer says of a time on the picture of that time."""
        if self._redact:
            hide(image, self._faces.possible(time_s))
        draw = ImageDraw.Draw(image, "RGBA")
        window = self._window(time_s)
        for track, box in self._faces.at(time_s).items():
            self._person(draw, track, box, window)
        self._now(draw, window)
        if said := self._said(time_s):
            self._subtitle(draw, said, image.size)

    def _window(self, time_s: float) -> int | None:
        """Return the index of the window that tells of a time."""
        return max(0, bisect_right(self._starts, time_s) - 1) if self._starts else None

    def _person(self, draw: ImageDraw.ImageDraw, track: int, box: Box, window: int | None) -> None:
        label, share = leading(self._face_alone(track, window))
        colour = COLOURS[label or "neutral"]
        draw.rectangle(box, outline=colour, width=max(2, self._px // 8))
        name = f"{self._labels.columns['person']} {track + 1}"
        words = f"{name} · {self._labels.emotion(label)} {100 * share:.0f} %" if label else name
        self._tag(draw, words, (box[0], max(0, box[1] - 1.5 * self._px)), colour)

    def _face_alone(self, track: int, window: int | None) -> Probabilities | None:
        people = self._analysis.people
        if window is None or track >= len(people) or window >= len(people[track].timeline):
            return None
        return people[track].timeline[window]

    def _now(self, draw: ImageDraw.ImageDraw, window: int | None) -> None:
        """Draw the emotion of all channels together into the upper left corner."""
        if window is not None and (run := self._runs[window]).label:
            words = f"{self._labels.emotion(run.label)} {100 * run.confidence:.0f} %"
            self._tag(draw, words, (self._px / 2, self._px / 2), COLOURS[run.label])

    def _tag(self, draw: ImageDraw.ImageDraw, words: str, corner: tuple[float, float], colour: str) -> None:
        """Write words on a dark ground with a bar of a colour at their left."""
        x, y = corner
        width, height = draw.textlength(words, self._font) + self._px, 1.45 * self._px
        draw.rectangle((x, y, x + width, y + height), fill=(*GROUND, 200))
        draw.rectangle((x, y, x + self._px / 4, y + height), fill=colour)
        draw.text((x + self._px / 2, y + height / 2), words, fill="white", font=self._font, anchor="lm")

    def _said(self, time_s: float) -> Utterance | None:
        utterances = self._analysis.transcript.utterances
        return next((said for said in utterances if said.start_s <= time_s <= said.end_s), None)

    def _subtitle(self, draw: ImageDraw.ImageDraw, said: Utterance, size: tuple[int, int]) -> None:
        """Write an utterance at the lower edge, with a bar in the colour of what is expressed meanwhile."""
        width, height = size
        text = _wrapped(printable(" ".join(said.text.split())), width - 3 * self._px, self._font)
        left, top, right, bottom = draw.multiline_textbbox((0, 0), text, self._font, align="center")
        box_width, box_height = right - left + self._px, bottom - top + 0.8 * self._px
        x, y = (width - box_width) / 2, height - box_height - self._px / 2
        draw.rectangle((x, y, x + box_width, y + box_height), fill=(*GROUND, 200))
        label, _ = leading(said.expressed)
        draw.rectangle((x, y, x + self._px / 4, y + box_height), fill=COLOURS[label or "neutral"])
        place = (x + self._px / 2 - left, y + 0.4 * self._px - top)
        draw.multiline_text(place, text, fill="white", font=self._font, align="center")


@lru_cache(maxsize=64)
def _wrapped(text: str, width_px: float, font: ImageFont.FreeTypeFont) -> str:
    """Return text in at most MOST_LINES lines of a width; words longer than a line are broken."""
    lines = [""]
    for piece in text.replace(" ", " \0").split("\0"):
        if font.getlength((lines[-1] + piece).rstrip()) <= width_px:
            lines[-1] += piece
            continue
        lines.append("")
        for character in piece:
            if lines[-1] and font.getlength(lines[-1] + character) > width_px:
                lines.append("")
            lines[-1] += character
    lines = [line.rstrip() for line in lines if line.strip()]
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES - 1], lines[MOST_LINES - 1] + "…"]
    return "\n".join(lines)
