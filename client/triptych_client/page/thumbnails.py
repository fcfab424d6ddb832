"""Pictures of each person's face, cut from the clip by the boxes of the answer."""

from __future__ import annotations

import base64
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL import Image

from triptych_client.errors import InvalidClip
from triptych_client.picture.hide import hide
from triptych_client.picture.paths import Faces
from triptych_client.picture.video import pictures_at
from triptych_client.results import Analysis, Face
from triptych_client.timeline import leading

MOST_PEOPLE = 12
"""So many people are shown, those who are seen most."""
MOST_PICTURES = 6
"""So many pictures of each."""
SIDE_PX = 112
MARGIN = 0.25
"""A picture shows so much of the box's size around it, on each side."""


@dataclass(frozen=True)
class Thumbnail:
    """A face at a moment: its picture as a data URL, and the emotion of that face alone."""

    time_s: float
    image: str
    label: str | None
    share: float


def shown_people(analysis: Analysis) -> list[int]:
    """Return the tracks of the people to show, the main one first, then those who are seen most."""
    counts: dict[int, int] = defaultdict(int)
    for face in analysis.faces:
        counts[face.track] += 1
    main = analysis.emotion.track
    return sorted(counts, key=lambda track: (track != main, -counts[track]))[:MOST_PEOPLE]


def thumbnails(analysis: Analysis, *, redact: bool = False) -> Mapping[int, Sequence[Thumbnail]]:
    """Return pictures of each person by track, in order of time; none where the clip is not at hand or unreadable.

    With `redact` faces are hidden in them.
    """
    path = analysis.clip.path
    chosen = {track: _chosen(analysis.faces, track) for track in shown_people(analysis)}
    times = [face.time_s for faces in chosen.values() for face in faces]
    if path is None or not times:
        return {}
    try:
        pictures = dict(pictures_at(analysis, path, times))
    except InvalidClip:
        return {}
    if redact:
        everybody = Faces(analysis.faces)
        for time_s, picture in pictures.items():
            hide(picture, everybody.possible(time_s))
    return {
        track: [_thumbnail(face, pictures[face.time_s]) for face in faces if face.time_s in pictures]
        for track, faces in chosen.items()
    }


def _chosen(faces: Sequence[Face], track: int) -> list[Face]:
    """Return one person's faces, evenly over the time that the person is seen."""
    seen = sorted((face for face in faces if face.track == track), key=lambda face: face.time_s)
    count = min(len(seen), MOST_PICTURES)
    return [seen[round((number + 0.5) * len(seen) / count - 0.5)] for number in range(count)]


def _thumbnail(face: Face, picture: Image.Image) -> Thumbnail:
    label, share = leading(face.probabilities)
    stream = io.BytesIO()
    picture.crop(_square(face)).resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS).save(stream, "JPEG", quality=82)
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    return Thumbnail(face.time_s, f"data:image/jpeg;base64,{data}", label, share)


def _square(face: Face) -> tuple[int, int, int, int]:
    """Return the square around a face; what reaches over the edge of the picture is black."""
    x1, y1, x2, y2 = face.box
    half = max(x2 - x1, y2 - y1) * (0.5 + MARGIN)
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    return round(x - half), round(y - half), round(x + half), round(y + half)
