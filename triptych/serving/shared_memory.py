"""How much of /dev/shm clips need on their way through the graph, and whether it is there.

Triton hands tensors to its Python steps through regions of shared memory: one a step, as large as the largest that the
step ever took or gave, and never smaller again. So what counts is the largest clip, not how many are in flight.
Beside them lie the regions by which the door hands large clips to Triton.
"""

from __future__ import annotations

import shutil

from triptych.errors import TriptychError
from triptych.media.limits import Limits, variable
from triptych.serving.private import SHARED_MEMORY

FRAME_SIDE_PX = 640
"""The longer side of a decoded frame; a square picture has both this long."""
WITH_FRAMES = 3
"""Steps whose regions hold the frames: video_decode gives them, face_detector and face_crop take them."""
WITH_FILE = 3
"""Steps whose regions hold the file: media_probe, video_decode, audio_decode."""
SLOTS = 2
"""Clips that the door hands to Triton in shared memory at the same time, each in a region of its own."""
SAMPLE_BYTES = 4 * 16_000
WITH_SOUND = 8
"""Sound passes whole, and as overlapping windows for three models; once given and once taken."""
REGION_BYTES = 1 << 20
STEPS = 17
FULL_BYTES = 1 << 20
"""A region cannot grow by less."""
GROWTH = 1.25
"""A region grows by steps, beside what it holds already."""


def needed_bytes(limits: Limits) -> int:
    """Return what the largest clip that is let in needs, with all steps together."""
    frames = WITH_FRAMES * limits.frames * FRAME_SIDE_PX * FRAME_SIDE_PX * 3
    files = WITH_FILE * limits.mebibytes * (1 << 20)
    sound = WITH_SOUND * limits.seconds * SAMPLE_BYTES
    slots = SLOTS * limits.mebibytes * (1 << 20)
    return int(GROWTH * (frames + files + sound) + slots + STEPS * REGION_BYTES)


def free_bytes() -> int:
    """Return what is left of /dev/shm; 0 when there is none."""
    return shutil.disk_usage(SHARED_MEMORY).free if SHARED_MEMORY.is_dir() else 0


def exhaustion() -> str:
    """Return that /dev/shm is full, as a sentence; "" when it is not: a step dies when it finds no room there."""
    if free_bytes() >= FULL_BYTES:
        return ""
    total = shutil.disk_usage(SHARED_MEMORY).total if SHARED_MEMORY.is_dir() else 0
    return f"{SHARED_MEMORY} is full: all of its {total / 1e6:.0f} MB are in use"


def shortage(limits: Limits) -> str:
    """Return what is wrong with /dev/shm, as a sentence; "" when the largest clip fits."""
    needed, free = needed_bytes(limits), free_bytes()
    if free >= needed:
        return ""
    return (
        f"{SHARED_MEMORY} has {free / 1e6:.0f} MB free, and the largest clip that is let in needs "
        f"{needed / 1e6:.0f} MB on its way through the steps"
    )


def check() -> None:
    """Raise TriptychError, with the remedies, when the largest clip that is let in would not fit."""
    wrong = shortage(Limits.from_environment())
    if wrong:
        raise TriptychError(
            f"{wrong}. Make it larger (mount -o remount,size=2G {SHARED_MEMORY}, or docker run --shm-size=2g), or let "
            f"in less: {variable('frames')}=32, {variable('mebibytes')}=16"
        )
