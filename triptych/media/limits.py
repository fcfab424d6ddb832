"""The limits of one request, in one place; each can be set by an environment variable of the server.

What one clip may cost, in packets, pixels, processor seconds and memory, follows from them: whoever raises a limit
raises all of that, or is told at the start how far this machine and the models go.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import Any

from triptych.errors import TriptychError
from triptych.resources import memory_bytes

MIB = 1 << 20

SLACK_S = 0.5
"""A clip cut at the limit is a little longer than it: the last audio packet is padded."""

PACKETS_PER_SECOND = 5_000
"""More than any real file has (Opus: 400, with video at 240): bounds the work on a forged one."""

DECODED_PX_PER_SECOND = 1e8
"""Pixels decoded for a second of a clip at most: 1920 x 1080 at 48 Hz, about 0.3 s of work for one core."""

EXPANSION = 4
"""A file's packets hold at most so many times its bytes: Matroska can store them compressed."""

LARGEST_SIDE_PX = 16_000
"""FFmpeg refuses pictures of 2**31 / 8 pixels and more, their edges of 128 pixels included (av_image_check_size)."""

HELD_FRAMES = 24
"""Pictures that a video decoder holds at most: 16 that others refer to (H.264, H.265), and those of its threads."""

BYTES_PER_PX = 3
"""Of such a picture: 10 bit, 4:2:0. One of 4:4:4 takes twice as much, but none is that large with so many held."""

COPIES = 8
"""A clip's bytes are held at most so often on their way through the server, in it and in its steps."""


@dataclass(frozen=True)
class Limits:
    """What one clip may be. Every field is set by TRIPTYCH_MAX_<FIELD>."""

    seconds: float = 60.0
    mebibytes: float = 64.0
    side_px: int = 4096
    frames: int = 128
    faces: int = 256

    @classmethod
    def from_environment(cls) -> Limits:
        """Read TRIPTYCH_MAX_SECONDS and so on; TriptychError for a value that is no number, or does not work here."""
        limits = cls(**{name: _positive(name, default) for name, default in asdict(cls()).items()})
        for field, (largest, why) in _largest().items():
            if (value := getattr(limits, field)) > max(largest, getattr(cls(), field)):
                raise TriptychError(
                    f"{variable(field)}={value:g} is too much: the largest value that works here is {largest:g}, "
                    f"because {why}"
                )
        return limits

    @property
    def packets(self) -> int:
        """Compressed packets of one clip at most."""
        return int(PACKETS_PER_SECOND * (self.seconds + SLACK_S))

    @property
    def decoded_px(self) -> float:
        """Pixels decoded for one clip at most."""
        return DECODED_PX_PER_SECOND * self.seconds

    @property
    def frame_px(self) -> int:
        """Pixels of a stored frame at most: its format can pad the picture."""
        return 2 * self.side_px**2

    @property
    def decoder_bytes(self) -> int:
        """Memory for decoding the video of one clip: its packets, the pictures held, and the libraries' own."""
        wanted = int(EXPANSION * self.mebibytes * MIB) + _held_bytes(self.side_px) + 256 * MIB
        return min(wanted, max(memory_bytes() // 2, 256 * MIB))


def variable(field: str) -> str:
    """Return the name of the environment variable that sets a limit."""
    return f"TRIPTYCH_MAX_{field.upper()}"


def packet_bytes(size: int) -> int:
    """Return how many bytes the packets of a file of so many bytes hold at most: more are a forgery."""
    return EXPANSION * size + 16 * MIB


def longest_s() -> float:
    """Return the longest clip that the speech recogniser takes, in one batch of chunks."""
    from triptych_client.contract import CHUNK_SAMPLES, SAMPLE_RATE_HZ, STEPS  # not there yet where `doctor` runs first

    return STEPS["whisper"].max_batch_size * CHUNK_SAMPLES / SAMPLE_RATE_HZ - SLACK_S


def _held_bytes(side_px: int) -> int:
    return HELD_FRAMES * BYTES_PER_PX * side_px**2


def _largest() -> dict[str, tuple[float, str]]:
    """Return the largest value of each limit that works on this machine, and why no larger one does."""
    try:
        from triptych_client.contract import STEPS
    except ImportError:  # `doctor`, before anything is installed: nothing is served either
        return {}
    memory = memory_bytes()
    has = f"this server may use {memory / MIB:.0f} MiB of memory"
    by_memory = int((memory / 2 / HELD_FRAMES / BYTES_PER_PX) ** 0.5)
    side = (LARGEST_SIDE_PX, "FFmpeg takes no larger pictures")
    bytes_held = (memory // COPIES // MIB, f"{has}, and a clip's bytes are held up to {COPIES} times")
    return {
        "seconds": (longest_s(), f"Whisper takes {STEPS['whisper'].max_batch_size} chunks of 30 s at once"),
        "mebibytes": min((2047, "a gRPC message is smaller than 2 GiB"), bytes_held),
        "side_px": min(side, (by_memory, f"{has}, half of it for the {HELD_FRAMES} pictures that a decoder holds")),
        "frames": (STEPS["face_detector"].max_batch_size, "face_detector takes so many frames in one batch"),
        "faces": (STEPS["expression"].max_batch_size, "expression takes so many faces in one batch"),
    }


def _positive(field: str, default: Any) -> Any:
    text = os.environ.get(variable(field), "")
    if not text:
        return default
    try:
        value = type(default)(text)
    except ValueError:
        value = -1
    if not 0 < value < float("inf"):
        raise TriptychError(f"{variable(field)}={text} is not a positive {type(default).__name__}")
    return value
