"""Clips of less than a second, each of its own length, so that an answer tells whose it is."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np

SIZE = (96, 64)
SHORTEST_S, STEP_S = 0.300, 0.002
LAST_S = 0.1
"""How long the last picture is shown."""


def length_s(number: int) -> float:
    """Return how long a clip is: no two are equal."""
    return SHORTEST_S + STEP_S * number


def short_clip(number: int) -> bytes:
    """Return a clip without sound: two pictures, the second of which ends when the clip does."""
    return _encoded(number, [0.0, length_s(number) - LAST_S])


def film(seconds: int) -> bytes:
    """Return a film without sound, a key frame each second: long enough to be cut."""
    return _encoded(seconds, [tenth / 10 for tenth in range(10 * seconds)])


def _encoded(number: int, times: list[float]) -> bytes:
    target = io.BytesIO()
    with av.open(target, "w", format="matroska") as container:
        video = container.add_stream("libx264", rate=10, options={"preset": "ultrafast", "g": "4"})
        video.width, video.height = SIZE
        video.pix_fmt = "yuv420p"
        video.time_base = video.codec_context.time_base = Fraction(1, 1000)
        for time_s in times:
            grey = np.full((SIZE[1], SIZE[0], 3), 20 + (number * 7 + round(time_s * 40)) % 200, np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
            frame.pts, frame.time_base = round(time_s * 1000), Fraction(1, 1000)
            frame.duration = round(LAST_S * 1000)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    return target.getvalue()
