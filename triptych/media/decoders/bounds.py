"""What one decoder may use; it follows from the limits of a request (`triptych.media.limits`)."""

from __future__ import annotations

from dataclasses import dataclass

from triptych.media.limits import Limits

CPU_SHARE = {"media_probe": 1 / 3, "video_decode": 1.5, "audio_decode": 1 / 3}
"""Seconds of processor time for a second of the longest clip, by step.

Several times the most that a clip within its limits takes (`limits.DECODED_PX_PER_SECOND`, and a second time where it
is damaged): it is never the first bound of a good clip.
"""

LEAST_CPU_S = 10

PATIENCE = 2
"""A decoder shares its cores with the models: it may take so many times its processor time."""

OPEN_FILES = 16
"""Of which it needs eight: in, out, errors, the socket, the clip, the memory for results, and a copy of either."""

CLIPS = 16
"""A decoder is replaced after so many clips, or after the first with which anything was wrong.

A fresh one for each clip takes 5 to 10 ms longer for it, since its memory is still its nursery's, and some 20 ms of
processor time to be forked and to end (benchmarks/decoders.py).
"""


@dataclass(frozen=True)
class Bounds:
    """Memory in bytes, processor seconds and wall-clock seconds of one decoder."""

    memory_bytes: int
    cpu_s: int
    wall_s: float


def of(step: str, limits: Limits) -> Bounds:
    """Return what the decoders of a step may use."""
    cpu_s = max(LEAST_CPU_S, round(CPU_SHARE[step] * limits.seconds))
    return Bounds(limits.decoder_bytes, cpu_s, PATIENCE * cpu_s)
