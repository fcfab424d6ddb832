"""What the embedded server needs of a machine, checked one by one, each with its remedy."""

from __future__ import annotations

import platform
import shutil
import socket
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from triptych.errors import TriptychError
from triptych.paths import MODEL_REPOSITORY
from triptych.serving.embedded import python_library, triton_home

MIN_GLIBC = (2, 35)
"""The wheel of the embedded Triton is tagged manylinux_2_35."""
MIN_SHARED_MEMORY_GIB = 1.0
"""Tensors pass between Triton and its Python steps through /dev/shm: up to 88 MB of frames; regions never shrink."""
MIN_MEMORY_GIB = 4.0
PORTS = {"HTTP": 8000, "gRPC": 8001, "metrics": 8002}
GIB = 1 << 30


@dataclass(frozen=True)
class Finding:
    """One check: what was looked at, whether it is well, what was found, and the remedy if it is not."""

    what: str
    ok: bool
    found: str
    remedy: str = ""


def examine() -> list[Finding]:
    """Run every check."""
    return [check() for check in CHECKS]


def show(findings: list[Finding], console: Console) -> None:
    """Print the findings as a table, and below it what to do."""
    table = Table("", "Check", "Found", box=None)
    for finding in findings:
        table.add_row("[green]ok[/]" if finding.ok else "[red]no[/]", finding.what, finding.found)
    console.print(table)
    for finding in findings:
        if not finding.ok:
            console.print(f"[bold]{finding.what}[/]: {finding.remedy}", soft_wrap=True)


def machine() -> Finding:
    """Check operating system and processor."""
    found = f"{platform.system()} {platform.machine()}"
    return Finding("machine", found == "Linux x86_64", found, "The embedded Triton runs on x86-64 Linux only.")


def python() -> Finding:
    """Check the interpreter's version."""
    ok = (3, 10) <= sys.version_info[:2] <= (3, 12)
    return Finding("Python", ok, platform.python_version(), "Use Python 3.10 to 3.12: make demo PYTHON=python3.11")


def glibc() -> Finding:
    """Check the C library."""
    name, number = platform.libc_ver()
    ok = name == "glibc" and tuple(map(int, number.split(".")[:2])) >= MIN_GLIBC
    remedy = "The embedded Triton needs glibc 2.35 or newer: Debian 12, Ubuntu 22.04, or newer."
    return Finding("C library", ok, f"{name} {number}".strip() or "unknown", remedy)


def libpython() -> Finding:
    """Check that the interpreter's shared library is there."""
    found = python_library()
    package = f"libpython{sys.version_info.major}.{sys.version_info.minor}"
    remedy = f"Install it: sudo apt-get install {package}"
    return Finding("shared libpython", found is not None, found.name if found else "missing", remedy)


def numpy() -> Finding:
    """Check numpy's major version."""
    found = version("numpy")
    remedy = "With numpy 2 this Triton returns empty outputs: pip install numpy==1.26.4"
    return Finding("numpy", found.startswith("1."), found, remedy)


def embedded_triton() -> Finding:
    """Check the wheel with Triton's binaries."""
    try:
        ok = (triton_home() / "bin" / "tritonserver").is_file()
        found = f"nvidia-pytriton {version('nvidia-pytriton')}"
    except (TriptychError, PackageNotFoundError):
        ok, found = False, "missing"
    return Finding("embedded Triton", ok, found, "pip install nvidia-pytriton==0.7.0")


def shared_memory() -> Finding:
    """Check the free space of /dev/shm."""
    free = shutil.disk_usage("/dev/shm").free / GIB if Path("/dev/shm").is_dir() else 0.0
    remedy = "Give it 1 GiB or more: mount -o remount,size=2G /dev/shm, or docker run --shm-size=2g"
    return Finding("shared memory", free >= MIN_SHARED_MEMORY_GIB, f"{free:.1f} GiB free", remedy)


def memory() -> Finding:
    """Check the available memory."""
    import psutil

    free = psutil.virtual_memory().available / GIB
    remedy = "Server and models take about 3 GiB: close something, or take a larger machine."
    return Finding("memory", free >= MIN_MEMORY_GIB, f"{free:.1f} GiB available", remedy)


def ports() -> Finding:
    """Check that the usual ports are free."""
    taken = [f"{name} {port}" for name, port in PORTS.items() if not _is_free(port)]
    remedy = "Stop what listens there, or choose others: triptych serve --grpc-port 9001 --http-port 9000 ..."
    return Finding("ports", not taken, f"taken: {', '.join(taken)}" if taken else "8000 to 8002 are free", remedy)


def models() -> Finding:
    """Check that every model is exported."""
    from export.catalog import choose, slot_of
    from export.runner import exported

    held = exported(MODEL_REPOSITORY)
    missing = [step for step in choose({}) if step not in held]
    swapped = [f"{slot_of(step)}={held[step]}" for step, entry in choose({}).items() if held.get(step) != entry.name]
    found = f"all exported{', with ' if swapped else ''}{', '.join(swapped)}"
    return Finding(
        "models",
        not missing,
        f"missing: {', '.join(missing)}" if missing else found,
        "Run: triptych export (`triptych export --list` shows what can be chosen)",
    )


def _is_free(port: int) -> bool:
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


CHECKS: tuple[Callable[[], Finding], ...] = (
    machine,
    python,
    glibc,
    libpython,
    numpy,
    embedded_triton,
    shared_memory,
    memory,
    ports,
    models,
)
