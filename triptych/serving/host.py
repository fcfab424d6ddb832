"""What the embedded Triton finds on this host: its binaries, the shared library of this Python, ports.

Built on the standard library alone: `make doctor` asks before anything is installed.
"""

from __future__ import annotations

import re
import socket
import sys
import sysconfig
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

from triptych.errors import TriptychError

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
LIBPYTHON = f"libpython{PYTHON}.so.1.0"
SYSTEM_LIBRARIES = Path("/usr/lib/x86_64-linux-gnu")
SHELL_CHARACTERS = re.compile(r"""[\s"'`\\$&|;<>()\[\]{}*?!#~^]""")
"""Triton's Python backend hands the paths of its steps to a shell as they are."""


def triton_home() -> Path:
    """Return the folder of Triton's binaries; TriptychError when the wheel is not installed."""
    return (
        package_folder("pytriton", "the embedded Triton is missing: pip install nvidia-pytriton==0.7.0")
        / "tritonserver"
    )


def package_folder(name: str, complaint: str) -> Path:
    """Return the folder of an installed package, without importing it; TriptychError, with the complaint, for none."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise TriptychError(complaint)
    return Path(spec.origin).parent


def python_library() -> Path | None:
    """Return the shared libpython of this interpreter, or None when there is none."""
    for folder in (sysconfig.get_config_var("LIBDIR"), Path(sys.base_prefix) / "lib", SYSTEM_LIBRARIES):
        if folder and (Path(folder) / LIBPYTHON).is_file():
            return Path(folder) / LIBPYTHON
    return None


def check_path(path: Path) -> None:
    """Raise TriptychError for a folder that Triton's Python backend cannot run steps from: it would wait for ever."""
    found = SHELL_CHARACTERS.search(str(path))
    if found:
        raise TriptychError(
            f"Triton cannot run from {path}: its Python backend trips over the {found[0]!r} in the path. Move the "
            "project, or set TRIPTYCH_HOME to another folder"
        )


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def why_not_listen(port: int, host: str = "127.0.0.1") -> str:
    """Return why this address cannot be listened on, in the system's words; "" when it can."""
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""
