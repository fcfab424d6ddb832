"""Clips that the checks make of the data's clips, and what the steps see in any clip, without a server."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np
import onnxruntime as ort

from triptych.face import crop
from triptych.media import probe, video
from triptych.media.limits import Limits
from triptych.paths import MODEL_REPOSITORY

RATE_HZ = 25
SIZE = (360, 288)
"""Width and height of the pictures, those of the GRID corpus."""
PEOPLE = ("grid_bbaf2n.mpg", "grid_lbax4n.mpg", "grid_lrwp9a.mpg", "grid_sbwe5n.mpg")
"""Four people who read a sentence to the camera, in 3 s each (GRID, Cooke et al. 2006)."""


@dataclass(frozen=True)
class Seen:
    """What the steps make of a clip: its facts, the frames looked at, and the faces found."""

    facts: probe.Probe
    frames: video.Video
    faces: crop.FaceCrops
    scores: np.ndarray
    """Of all boxes that the detector has found [k], whoever's they are."""

    @property
    def people(self) -> int:
        """How many people there are."""
        return int(self.faces.tracks.max()) + 1 if self.faces.count[0] else 0

    def seen_share(self, start_s: float, end_s: float) -> float:
        """Return in which share of the samples of a time a face was found."""
        times = self.frames.times[(self.frames.times >= start_s) & (self.frames.times < end_s)]
        return float(np.isin(times, self.faces.times).mean()) if len(times) and self.faces.count[0] else 0.0


@cache
def detector() -> ort.InferenceSession:
    """Return the exported face detector."""
    return ort.InferenceSession(MODEL_REPOSITORY / "face_detector" / "1" / "model.onnx")


def detect(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return boxes [n, 32, 4], scores [n, 32] and landmarks [n, 32, 5, 2] of frames UINT8 [n, H, W, 3]."""
    found = [detector().run(None, {"FRAMES": frame[None]}) for frame in frames]
    boxes, scores, landmarks = (np.concatenate([np.asarray(parts[index]) for parts in found]) for index in range(3))
    return boxes, scores, landmarks


def see(clip: bytes) -> Seen:
    """Return what the steps see in a clip."""
    facts = probe.probe(clip, Limits())
    frames = video.decode(clip, facts.planned_times)
    size = (facts.width_px, facts.height_px)
    boxes, scores, landmarks = detect(frames.frames)
    detected = crop.DetectedFrames(frames.frames, frames.times, boxes, scores, landmarks, size)
    return Seen(facts, frames, crop.crop_all(detected, crop.max_faces(Limits())), scores[scores > 0])


def pictures(path: Path, size: tuple[int, int] = SIZE) -> list[np.ndarray]:
    """Return all pictures of a clip, RGB, at a size."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24", width=size[0], height=size[1]) for frame in container.decode(video=0)]


def people(data: Path) -> list[list[np.ndarray]]:
    """Return the pictures of each of PEOPLE, 25 a second."""
    return [pictures(data / "clips" / "faces" / name) for name in PEOPLE]


def looped(shots: Sequence[np.ndarray], seconds: float) -> Iterator[np.ndarray]:
    """Yield pictures for so long, to and fro."""
    there_and_back = [*shots, *shots[-2:0:-1]]
    for number in range(round(seconds * RATE_HZ)):
        yield there_and_back[number % len(there_and_back)]


def film(
    shots: Sequence[np.ndarray],
    times: Sequence[float] | None = None,
    form: str = "mp4",
    codec: str = "libx264",
    voice_s: float = 0.0,
) -> bytes:
    """Return a clip of pictures, 25 a second or shown at `times`, with a tone for `voice_s`."""
    target = io.BytesIO()
    with av.open(target, "w", format=form) as container:
        stream = container.add_stream(codec, rate=RATE_HZ)
        stream.height, stream.width = shots[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        sound = (
            container.add_stream("libopus" if form == "webm" else "aac", rate=48_000, layout="mono")
            if voice_s
            else None
        )
        for picture, time_s in zip(shots, np.arange(len(shots)) / RATE_HZ if times is None else times):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = round(time_s * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound:
            _tone(container, sound, voice_s)
    return target.getvalue()


def _tone(container: av.container.OutputContainer, stream: av.AudioStream, seconds: float) -> None:
    size = stream.codec_context.frame_size or 960
    for start in range(0, round(48_000 * seconds), size):
        wave = 0.3 * np.sin(2 * np.pi * 220 * (start + np.arange(size)) / 48_000)
        frame = av.AudioFrame.from_ndarray(wave[None].astype(np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = 48_000, Fraction(1, 48_000), start
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def tilted(picture: np.ndarray, degrees: float) -> np.ndarray:
    """Return a picture turned about its middle, whole, on black."""
    height, width = picture.shape[:2]
    side = int(np.hypot(width, height)) // 2 * 2
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    turn[:, 2] += side / 2 - np.array([width, height]) / 2
    return cv2.warpAffine(picture, turn, (side, side))


def in_a_hand(picture: np.ndarray, count: int) -> list[np.ndarray]:
    """Return so many pictures of a still one, as a camera in a hand sees it."""
    random, (height, width) = np.random.default_rng(0), picture.shape[:2]
    seen = []
    for number in range(count):
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), random.normal(0, 1.5), 1 + 0.03 * np.sin(number / 3))
        turn[:, 2] += random.normal(0, 4, 2)
        moved = cv2.warpAffine(picture, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
        seen.append((moved + random.normal(0, 3, moved.shape)).clip(0, 255).astype(np.uint8))
    return seen
