"""Small media files, made in memory with PyAV for the tests: nothing is read from disk."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np
from av.stream import Disposition

SIZE = (64, 48)
"""Width and height of a made picture, in pixels."""
RATE_HZ = 10
SOUND_RATE_HZ = 48_000


def make(
    pictures: Sequence[np.ndarray] = (),
    sound: np.ndarray | None = None,
    *,
    form: str = "mp4",
    codec: str = "libx264",
    times: Sequence[float] | None = None,
    matrix: Sequence[int] | None = None,
    sound_start_s: float = 0.0,
    options: dict[str, str] | None = None,
) -> bytes:
    """Return a file with `pictures` (RGB, RATE_HZ a second or shown at `times`) and `sound` (48 kHz stereo [2, n]).

    `matrix` is a display matrix as (a, b, c, d), see `triptych.media.container.Orientation`.
    """
    target = io.BytesIO()
    container = av.open(target, "w", format=form)
    video = audio = None
    if len(pictures):
        video = container.add_stream(codec, rate=RATE_HZ, options=options or {"preset": "ultrafast"})
        video.height, video.width = pictures[0].shape[:2]
        video.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        video.time_base = video.codec_context.time_base = Fraction(1, 1000)
        if matrix:
            a, b, c, d = (value * 65536 for value in matrix)
            video.set_display_matrix([a, b, 0, c, d, 0, 0, 0, 1 << 30])
    if sound is not None:
        audio = container.add_stream("libopus" if form == "webm" else "aac", rate=SOUND_RATE_HZ, layout="stereo")
    if video:
        _write_pictures(container, video, pictures, np.arange(len(pictures)) / RATE_HZ if times is None else times)
    if audio:
        _write_sound(container, audio, sound, sound_start_s)
    container.close()
    return target.getvalue()


def _write_pictures(container, stream, pictures, times):
    for picture, time_s in zip(pictures, times):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = round(time_s * 1000), Fraction(1, 1000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _write_sound(container, stream, sound, start_s):
    frame_size = stream.codec_context.frame_size or 960
    for start in range(0, sound.shape[1], frame_size):
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(sound[:, start : start + frame_size]), format="fltp", layout="stereo"
        )
        frame.sample_rate, frame.time_base = SOUND_RATE_HZ, Fraction(1, SOUND_RATE_HZ)
        frame.pts = start + round(start_s * SOUND_RATE_HZ)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def greys(count: int, size: tuple[int, int] = SIZE) -> list[np.ndarray]:
    """Return plain pictures, each of its own grey, so that a test sees which one was decoded: see `which`."""
    return [np.full((size[1], size[0], 3), level, np.uint8) for level in np.linspace(20, 235, count).round()]


def which(frames: np.ndarray, count: int) -> list[int]:
    """Return which of `greys(count)` each decoded frame is."""
    means = frames.reshape(len(frames), -1).mean(axis=1)
    return np.rint((means - 20) / 215 * max(count - 1, 1)).astype(int).tolist()


def marked(size: tuple[int, int] = SIZE) -> np.ndarray:
    """Return a picture whose four quarters differ: 40, 100 above, 160, 220 below."""
    width, height = size
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2], picture[: height // 2, width // 2 :] = 40, 100
    picture[height // 2 :, : width // 2], picture[height // 2 :, width // 2 :] = 160, 220
    return picture


def tone(seconds: float, hertz: float = 440.0, level: float = 0.5) -> np.ndarray:
    """Return a sine as FP32 [2, samples] at 48 kHz, the same on both sides."""
    time = np.arange(round(seconds * SOUND_RATE_HZ)) / SOUND_RATE_HZ
    return np.tile((level * np.sin(2 * np.pi * hertz * time)).astype(np.float32), (2, 1))


def syllables(seconds: float, hertz: float = 120.0, level: float = 0.5) -> np.ndarray:
    """Return what sounds like somebody speaking, FP32 [samples] at 16 kHz: voiced syllables, and pauses."""
    time = np.arange(round(seconds * 16_000)) / 16_000
    voice = sum(np.sin(2 * np.pi * hertz * harmonic * time) / harmonic for harmonic in range(1, 25))
    loudness = np.maximum(np.sin(2 * np.pi * 3.7 * time), 0) * (1 + 0.5 * np.sin(2 * np.pi * 0.9 * time))
    loudness *= time % 1.3 < 1.0
    spoken = voice * loudness
    return (level * spoken / np.abs(spoken).max()).astype(np.float32)


def steady(seconds: float, level: float = 0.1, seed: int = 0) -> np.ndarray:
    """Return the noise of a machine, FP32 [samples] at 16 kHz."""
    return (level * np.random.default_rng(seed).normal(size=round(seconds * 16_000))).clip(-1, 1).astype(np.float32)


def in_matroska(*tracks: np.ndarray, layouts: Sequence[str] = (), facts: Sequence[dict[str, str]] = ()) -> bytes:
    """Return sound tracks FP32 [channels, samples] at 16 kHz as a file that keeps each sample as it is.

    `facts` are the metadata of each, and `default`, "" for a track that is not the one to play.
    """
    target = io.BytesIO()
    container = av.open(target, "w", format="matroska")
    for number in range(len(tracks)):
        stream = container.add_stream("pcm_f32le", rate=16_000, layout=layouts[number] if layouts else "mono")
        told = dict(facts[number]) if facts else {}
        stream.disposition = Disposition.default if told.pop("default", "yes") else Disposition(0)
        stream.metadata.update(told)
    for stream, samples in zip(container.streams.audio, tracks):
        for start in range(0, samples.shape[1], 1600):
            packed = np.ascontiguousarray(samples[:, start : start + 1600].T).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(packed.astype(np.float32), format="flt", layout=stream.layout.name)
            frame.sample_rate, frame.pts, frame.time_base = 16_000, start, Fraction(1, 16_000)
            container.mux(stream.encode(frame))
    for stream in container.streams.audio:
        container.mux(stream.encode(None))
    container.close()
    return target.getvalue()


def in_caf(samples: np.ndarray, layout: str) -> bytes:
    """Return sound INT16 [n, channels] at 16 kHz as a CAF file, whose order of channels can be its own.

    From 7.1 comes "8 channels (FL+FR+FC+LFE+SL+SR+BL+BR)": a layout that PyAV 17 and 18 free twice.
    """
    target = io.BytesIO()
    container = av.open(target, "w", format="caf")
    stream = container.add_stream("pcm_s16le", rate=16_000, layout=layout)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples).reshape(1, -1), format="s16", layout=layout)
    frame.sample_rate, frame.pts = 16_000, 0
    container.mux([*stream.encode(frame), *stream.encode(None)])
    container.close()
    return target.getvalue()


def damaged(data: bytes, seed: int, flips: int = 50, start: float = 0.3, end: float = 1.0) -> bytes:
    """Return the file with random bytes between two fractions of its length."""
    generator = np.random.default_rng(seed)
    broken = np.frombuffer(data, np.uint8).copy()
    places = generator.integers(int(len(broken) * start), max(int(len(broken) * end), 1), flips)
    broken[places] = generator.integers(0, 256, flips, dtype=np.uint8)
    return broken.tobytes()
