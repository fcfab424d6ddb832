"""Faces made unrecognisable: what is left of each is a few colours."""

from __future__ import annotations

from collections.abc import Iterable

from PIL import Image

from triptych_client.picture.paths import Box

MARGIN = 0.3
"""A box is widened by so much of its size on each side: it ends at the forehead and the chin. Chosen."""
CELLS = 5
"""A face becomes a picture of so many cells a side, drawn large and soft: nothing that was averaged comes back."""


def hide(image: Image.Image, boxes: Iterable[Box]) -> None:
    """Overwrite boxes of a picture, which may reach over its edge, by the mean colours of their CELLS x CELLS parts."""
    for box in boxes:
        x1, y1, x2, y2 = _widened(box, image.width, image.height)
        if x2 > x1 and y2 > y1:
            part = image.crop((x1, y1, x2, y2))
            coarse = part.resize((CELLS, CELLS), Image.Resampling.BOX)
            image.paste(coarse.resize(part.size, Image.Resampling.BICUBIC), (x1, y1))


def _widened(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    x1, y1, x2, y2 = box
    dx, dy = MARGIN * (x2 - x1), MARGIN * (y2 - y1)
    return (
        round(max(0, x1 - dx)),
        round(max(0, y1 - dy)),
        round(min(width, x2 + dx)),
        round(min(height, y2 + dy)),
    )
