"""The C library's memory of this process: what a clip leaves is kept for the next one, up to a bound.

glibc gives the pages of each large buffer back when it is freed, and takes them anew for the next; to get pages costs
the door more than to copy a clip. `environment.MALLOC` has the same for Triton, which is started with it.
"""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
"""From malloc.h; see mallopt(3)."""
KEPT_BYTES = 128 << 20
"""Two of the largest clips: larger buffers, and what is free beyond this, go back as before."""
PAD_BYTES = 64 << 20
"""So much is asked of the kernel beyond what is needed."""


def keep() -> None:
    """Keep freed memory, as from now on; nothing happens where the C library is another."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    for parameter, value in ((M_MMAP_THRESHOLD, KEPT_BYTES), (M_TRIM_THRESHOLD, KEPT_BYTES), (M_TOP_PAD, PAD_BYTES)):
        mallopt(parameter, value)
