"""What the embedded server needs of a machine, checked one by one, each with its remedy.

`make doctor` runs it before anything is installed, on whatever Python there is: what it imports at the top is of the
standard library, or of ours and built on that.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

from triptych import resources
from triptych.errors import TriptychError
from triptych.paths import BUILD, MODEL_REPOSITORY, ROOT, SOURCES
from triptych.serving import shared_memory as shm
from triptych.serving.environment import MISLEADING
from triptych.serving.host import (
    LIBPYTHON,
    PYTHON,
    TRITON,
    check_limits,
    free_threads,
    other_triton,
    python_library,
    triton_home,
    why_not_listen,
)

PYTHONS = ((3, 10), (3, 12))
TESTED = "3.11"
"""The Python that the tests run on; Triton has a stub for 3.10 and 3.12 too, and every package has a wheel."""
MIN_GLIBC = (2, 35)
"""The wheel of the embedded Triton is tagged manylinux_2_35."""
MIN_MEMORY_GIB = 4.0
STEPS = 16
"""Of the graph: how many processes Triton starts."""
PORTS = {"gRPC": 8001, "metrics": 8002}
GIB = 1 << 30
INSTALL = (
    "In the checkout: make demo, which sets up .venv; or pip install --editable client --editable '.[export,demo]'"
    if SOURCES is ROOT
    else "Install the wheels with what they need: pip install triptych-*.whl triptych_client-*.whl"
)
FIRST = "Install the packages first."
SAME = {"onnxruntime": ("onnxruntime-gpu",)}
"""Packages that do as well: ONNX Runtime's build for CUDA holds the same module, and stands in its place."""


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


def show(findings: list[Finding]) -> None:
    """Print the findings line by line, and below them what to do; plainly, as rich may not be installed yet."""
    width = max(len(finding.what) for finding in findings)
    for finding in findings:
        print(f"{'ok' if finding.ok else 'NO'}  {finding.what:{width}}  {finding.found}")
    for finding in findings:
        if not finding.ok:
            print(f"\n{finding.what}: {finding.remedy}")


def machine() -> Finding:
    """Check operating system and processor."""
    found = f"{platform.system()} {platform.machine()}"
    return Finding("machine", found == "Linux x86_64", found, "The embedded Triton runs on x86-64 Linux only.")


def python() -> Finding:
    """Check the interpreter's version."""
    ok = PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]
    note = "" if PYTHON == TESTED or not ok else f" (the tests run on {TESTED})"
    remedy = f"Use Python 3.10 to 3.12: make demo PYTHON=python{TESTED}"
    return Finding("Python", ok, platform.python_version() + note, remedy)


def glibc() -> Finding:
    """Check the C library."""
    name, number = platform.libc_ver()
    numbers = tuple(int(part) for part in re.findall(r"\d+", number)[:2])
    remedy = "The embedded Triton needs glibc 2.35 or newer: Debian 12, Ubuntu 22.04, or newer."
    return Finding("C library", name == "glibc" and numbers >= MIN_GLIBC, f"{name} {number}".strip() or "other", remedy)


def libpython() -> Finding:
    """Check that the interpreter's shared library is there."""
    found = python_library()
    remedy = f"Install it: sudo apt-get install libpython{PYTHON}"
    return Finding("shared libpython", found is not None, found.name if found else f"no {LIBPYTHON}", remedy)


def folders() -> Finding:
    """Check that what is exported and served can be written, or is there to be read."""
    for folder in (MODEL_REPOSITORY, BUILD):
        if not _can_write(folder):
            remedy = "Set TRIPTYCH_HOME to a folder that you can write; what is only read stays where it is."
            return Finding("folder", False, f"{folder} cannot be written", remedy)
    return Finding("folder", True, str(MODEL_REPOSITORY.parent))


def _can_write(folder: Path) -> bool:
    """Tell whether a folder can be written, or made."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def virtual_environments() -> Finding:
    """Check that this Python can make what `make demo` installs into, which Debian and Ubuntu ship separately."""
    ok = sys.prefix != sys.base_prefix or find_spec("ensurepip") is not None
    remedy = f"Install it: sudo apt-get install python{PYTHON}-venv"
    return Finding("venv and pip", ok, "there" if ok else "no ensurepip", remedy)


def packages() -> Finding:
    """Check that the packages which serve a clip are installed."""
    missing = missing_packages()
    found = f"missing: {', '.join(missing)}" if missing else "installed"
    return Finding("packages", not missing, found, INSTALL)


def exporter() -> Finding:
    """Say whether this machine can export models; a host that only serves need not."""
    found = "installed" if find_spec("torch") else "not installed: this machine serves what another one exported"
    return Finding("export extra", True, found)


def numpy() -> Finding:
    """Check numpy's major version."""
    found = _version("numpy")
    remedy = "With numpy 2 this Triton returns empty outputs: pip install numpy==1.26.4" if found else FIRST
    return Finding("numpy", found.startswith("1."), found or "missing", remedy)


def embedded_triton() -> Finding:
    """Check the wheel with Triton's binaries, or the other Triton that is named."""
    try:
        other = other_triton()
        ok = (triton_home() / "bin" / "tritonserver").is_file()
    except TriptychError as error:
        return Finding("Triton", False, "missing", f"{error}." if os.environ.get(TRITON) else _triton_remedy())
    found = f"that of {other}" if other else f"nvidia-pytriton {_version('nvidia-pytriton')}"
    return Finding("Triton", ok, found if ok else "missing", _triton_remedy())


def _triton_remedy() -> str:
    return "pip install nvidia-pytriton==0.7.0" if _version("triptych") else FIRST


def shared_memory() -> Finding:
    """Check that the largest clip that is let in fits into /dev/shm."""
    free = f"{shm.free_bytes() / GIB:.1f} GiB free"
    try:
        shm.check()
    except TriptychError as error:
        return Finding("shared memory", False, free, f"{error}.")
    return Finding("shared memory", True, free)


def memory() -> Finding:
    """Check the memory that is left, of the machine and of this process's control group."""
    remedy = (
        "Server and models take about 3 GiB: close something, take a larger machine, or raise the container's limit."
    )
    free, whole = resources.free_memory_bytes() / GIB, resources.memory_bytes() / GIB
    return Finding("memory", free >= MIN_MEMORY_GIB, f"{free:.1f} of {whole:.1f} GiB available", remedy)


def cores() -> Finding:
    """Say how many cores the steps may use: those of a quota, not those of the machine."""
    return Finding("cores", True, f"{resources.cores()} of the machine's {os.cpu_count()}")


def limits() -> Finding:
    """Check the limits on files, and on processes with their threads."""
    files, threads = resources.most_files(), free_threads()
    found = f"{_bound(files)} files, {_bound(threads)} more threads"
    try:
        check_limits(STEPS)
    except TriptychError as error:
        return Finding("limits", False, found, f"{error}.")
    return Finding("limits", True, found)


def _bound(number: int) -> str:
    return "any number of" if number >= resources.UNLIMITED else str(number)


def variables() -> Finding:
    """Say which variables of this shell the steps are not given: they would mislead them."""
    kept_back = sorted(name for name in MISLEADING if os.environ.get(name))
    said = f"not passed on to Triton: {', '.join(kept_back)}" if kept_back else "nothing that misleads"
    return Finding("environment", True, said)


def loopback() -> Finding:
    """Check the addresses of this machine itself; without IPv6, `--host ::1` is refused."""
    refused = why_not_listen(0)
    version_6 = "with" if not why_not_listen(0, "::1") else "without"
    return Finding("loopback", not refused, refused or f"127.0.0.1, {version_6} IPv6", "Bring it up: ip link set lo up")


def ports() -> Finding:
    """Check that the usual ports are free."""
    taken = [reason for port in PORTS.values() if (reason := why_not_listen(port))]
    remedy = "Stop what listens there, or choose others: triptych serve --grpc-port 9001 --metrics-port 9002"
    free = " and ".join(f"{port} ({name})" for name, port in PORTS.items())
    return Finding("ports", not taken, "; ".join(taken) or f"{free} are free", remedy)


def decoders() -> Finding:
    """Say whether what decodes a clip is kept from files, sockets and programs; it works without, less safely."""
    if missing_packages():
        return Finding("decoders", True, "not looked at: packages are missing")
    from triptych.media.decoders.sandbox import available

    reason = available()
    return Finding("decoders", True, f"without a filter of system calls: {reason}" if reason else "filtered by seccomp")


def models() -> Finding:
    """Check that every model is exported, and lies there as it was exported."""
    if missing_packages():
        return Finding("models", False, "not looked at: packages are missing", FIRST)
    from export.catalog import choose, slot_of
    from export.manifest import faults
    from export.stamp import Stamp

    found = faults(MODEL_REPOSITORY)
    if found:
        remedy = "Run: triptych export (`triptych models` shows what can be chosen)"
        if not find_spec("torch"):
            remedy += ". It needs: pip install 'triptych[export]'; or copy model_repository/ from where it is exported."
        return Finding("models", False, "; ".join(found), remedy)
    held = {step: Stamp.read(MODEL_REPOSITORY / step / "1").entry for step in choose({})}
    swapped = [f"{slot_of(step)}={held[step]}" for step, entry in choose({}).items() if held[step] != entry.name]
    return Finding("models", True, f"all exported{', with ' if swapped else ''}{', '.join(swapped)}")


def engines() -> Finding:
    """Check that the TensorRT engines, where there are any, are for the GPU and the TensorRT of this host.

    A host that serves by the embedded Triton alone may have those of another one: it does not read them.
    """
    if missing_packages():
        return Finding("engines", True, "not looked at: packages are missing")
    from triptych.serving.engines import REMEDY, built, here, step_fault

    host = here()
    faults = [step_fault(step, MODEL_REPOSITORY / step / "1", host) for step in built(MODEL_REPOSITORY)]
    found = "; ".join(filter(None, faults)) or f"{len(faults) or 'no'} engines of TensorRT"
    unread = host.gpu is None and not os.environ.get(TRITON)
    return Finding("engines", unread or not any(faults), f"{found}; not read here" if unread else found, REMEDY)


def missing_packages() -> list[str]:
    """Return which packages that serving needs are not installed, ours included."""
    try:
        needed = [need for need in requires("triptych") or () if "extra ==" not in need]
    except PackageNotFoundError:
        return ["triptych"]
    names = [name for need in needed for name in re.findall(r"^[\w.-]+", need) if not _is_for_older_python(need)]
    return [name for name in names if not any(_version(one) for one in (name, *SAME.get(name, ())))]


def _is_for_older_python(need: str) -> bool:
    return "python_version <" in need and sys.version_info >= (3, 11)


def _version(package: str) -> str:
    """Return the installed version; "" when there is none."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


CHECKS: tuple[Callable[[], Finding], ...] = (
    machine,
    python,
    glibc,
    libpython,
    folders,
    virtual_environments,
    packages,
    exporter,
    numpy,
    embedded_triton,
    shared_memory,
    memory,
    cores,
    limits,
    variables,
    loopback,
    ports,
    decoders,
    models,
    engines,
)

if __name__ == "__main__":
    found = examine()
    show(found)
    sys.exit(0 if all(finding.ok for finding in found) else 1)
