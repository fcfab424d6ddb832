"""How decoded frames become pictures: upright, in RGB, with square pixels, all of one size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from triptych.media.container import Orientation

MAX_SIDE_PX = 640
"""Longer side of a picture at most: faces of 16 px and more are found in it."""


@dataclass(frozen=True)
class Converter:
    """Scales decoded frames to one size with square pixels, as RGB, and turns them upright."""

    width: int
    height: int
    orientation: Orientation

    @classmethod
    def fitting(cls, stream: VideoStream, frame: VideoFrame, max_side: int) -> Converter:
        """Return the converter for a stream whose first frame is `frame`; pictures are never enlarged."""
        width, height = _square(stream, frame)
        scale = min(1.0, max_side / max(width, height))
        return cls(max(1, round(width * scale)), max(1, round(height * scale)), Orientation.of(frame))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and colours of an upright picture."""
        width, height = self.orientation.size(self.width, self.height)
        return height, width, 3

    def __call__(self, frame: VideoFrame) -> np.ndarray:
        """Return the upright picture: UINT8 [H, W, 3]. libswscale's own threads would be started for every frame."""
        image = frame.to_ndarray(format="rgb24", width=self.width, height=self.height, threads=1)
        return self.orientation.apply(image)


@dataclass
class Window:
    """Shows frames of any size and orientation in one picture [height, width, 3], as large as they fit, on black."""

    height: int
    width: int
    side: int
    """The longer side of the largest frame that it has shown, in pixels, at most MAX_SIDE_PX."""

    @classmethod
    def fitting(cls, stream: VideoStream, frame: VideoFrame, max_side: int) -> Window:
        """Return the window that the first frame of a stream fills; pictures are never enlarged."""
        height, width, _ = Converter.fitting(stream, frame, max_side).shape
        return cls(height, width, max(height, width))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and colours of a picture."""
        return self.height, self.width, 3

    @property
    def larger(self) -> bool:
        """Whether a frame that it has shown is larger than itself."""
        return self.side > max(self.height, self.width)

    def enlarged(self) -> Window:
        """Return a window of the same shape that is as large as the largest frame."""
        scale = self.side / max(self.height, self.width)
        return Window(max(1, round(self.height * scale)), max(1, round(self.width * scale)), self.side)

    def show(self, stream: VideoStream, frame: VideoFrame, picture: np.ndarray) -> None:
        """Write a frame into `picture`, UINT8 [height, width, 3]."""
        whole = Converter.fitting(stream, frame, MAX_SIDE_PX)
        self.side = max(self.side, *whole.shape[:2])
        if whole.shape == self.shape:
            picture[:] = whole(frame)
            return
        inside = self._inside(whole)
        height, width, _ = inside.shape
        top, left = (self.height - height) // 2, (self.width - width) // 2
        picture[:] = 0
        picture[top : top + height, left : left + width] = inside(frame)

    def _inside(self, whole: Converter) -> Converter:
        """Return the converter that makes a picture as large as it fits."""
        height, width, _ = whole.shape
        scale = min(self.height / height, self.width / width)
        size = (min(self.height, max(1, round(height * scale))), min(self.width, max(1, round(width * scale))))
        stored = whole.orientation.size(*size[::-1])  # transposing is its own inverse
        return Converter(*stored, whole.orientation)


def _square(stream: VideoStream, frame: VideoFrame) -> tuple[float, float]:
    """Return a frame's width and height in square pixels; it is never made smaller."""
    aspect = float(stream.sample_aspect_ratio or 1)
    return frame.width * max(aspect, 1), frame.height / min(aspect, 1)
