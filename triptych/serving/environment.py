"""The variables of Triton and its steps: made from a list of what may be passed on, never simply inherited.

A shell's PYTHONPATH, LD_PRELOAD or http_proxy is meant for other programs; in Triton's steps it puts other packages in
the place of ours, or sends what stays on this host to a proxy.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from triptych.errors import TriptychError
from triptych.serving.host import LIBPYTHON, PYTHON, python_library, triton_libraries

# glibc gives the pages of a freed tensor back at once and takes them anew for the next: with these settings it keeps
# them, which makes a step with tensors of 44 MB three to five times as fast.
MALLOC = {
    "MALLOC_MMAP_THRESHOLD_": str(4 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(16 << 30),
    "MALLOC_TOP_PAD_": str(256 << 20),
}
PASSED_ON = frozenset({"HOME", "TMPDIR", "TZ", "USER"})
PREFIXES = ("TRIPTYCH_", "CUDA_", "NVIDIA_", "OTEL_", "MALLOC_")
"""Variables that are passed on if they are set: by name, and all that begin so."""
FIXED = {
    "LC_ALL": "C.UTF-8",  # of the C library itself, so that it is there whatever is installed
    "PYTHONUTF8": "1",
    "PYTHONNOUSERSITE": "1",  # ~/.local may have another numpy
}
MISLEADING = (
    *("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "LD_PRELOAD", "LD_AUDIT", "BASH_ENV"),
    *("http_proxy", "https_proxy", "grpc_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"),
)
"""The best known of those that are not passed on, for `triptych doctor` to name."""
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def environment(variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of Triton: this Python for its steps, Triton's libraries, and `variables`.

    TriptychError when this Python has no shared library.
    """
    library = python_library()
    if library is None:
        raise TriptychError(
            f"Triton needs the shared library {LIBPYTHON}, which this Python lacks: sudo apt-get install "
            f"libpython{PYTHON}"
        )
    libraries = (str(library.parent), str(triton_libraries()))
    return {
        **MALLOC,
        **{name: value for name, value in os.environ.items() if name in PASSED_ON or name.startswith(PREFIXES)},
        **FIXED,
        "PATH": ":".join(_known(str(Path(sys.prefix) / "bin"), os.environ.get("PATH"), SYSTEM_PATH)),
        # The user's own folders come last: CUDA's are among them.
        "LD_LIBRARY_PATH": ":".join(_known(*libraries, os.environ.get("LD_LIBRARY_PATH"))),
        **(variables or {}),
    }


def _known(*parts: str | None) -> tuple[str, ...]:
    return tuple(part for part in parts if part)
