"""What this host is and has, and in one line each what it lacks."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import onnxruntime as ort

import benchmarks
from benchmarks.measure import gpus
from triptych import providers
from triptych.commands.doctor import Finding, embedded_triton, libpython, limits, memory, models, shared_memory
from triptych.paths import HOME
from triptych.serving.embedded import package_folder

PACKAGES = ("triptych", "triptych_client", "networks", "export")
TORCH = ("torch", "transformers")
PROBE = "speech_detector"
"""A step with a small graph of a kind that every repository has: it tells whether CUDA loads."""


def describe() -> dict[str, str]:
    """Return what was measured."""
    return {
        "machine": f"{os.cpu_count()} cores {platform.machine()}, {platform.platform()}",
        "GPU": gpus(),
        "driver": driver(),
        "Python": platform.python_version(),
        "ONNX Runtime": f"{ort.__version__}, {', '.join(ort.get_available_providers())}",
        "Triptych": version("triptych"),
    }


def slug(name: str) -> str:
    """Return a GPU's name for files: "NVIDIA H100 80GB HBM3" -> "h100"; the first one's where there are several."""
    words = name.lower().split(",")[0].split()
    return next((word for word in words if word[0].isalpha() and any(map(str.isdigit, word))), "no_gpu")


def driver() -> str:
    """Return the version of NVIDIA's driver; "none" without one."""
    import pynvml

    try:
        pynvml.nvmlInit()
        return str(pynvml.nvmlSystemGetDriverVersion())
    except pynvml.NVMLError:
        return "none"


def why_no_server() -> list[str]:
    """Return why nothing can be served here, one line each; none when it can."""
    checks = (embedded_triton, libpython, shared_memory, memory, limits, models)
    return [line(finding) for finding in (check() for check in checks) if not finding.ok]


def line(finding: Finding) -> str:
    """Return a finding of the doctor's as one line."""
    return f"{finding.what}: {finding.found}. {finding.remedy}"


def why_no_cuda(repository: Path) -> str:
    """Return why ONNX Runtime computes nothing on a GPU here; "" when it does: a small graph is loaded to see it."""
    if providers.CUDA not in ort.get_available_providers():
        return f"onnxruntime {ort.__version__} is built without CUDA: pip install onnxruntime-gpu in its place"
    path = repository / PROBE / "1" / "model.onnx"
    try:
        session = ort.InferenceSession(path, providers=providers.listed(cuda=True))
    except Exception as error:
        return f"onnxruntime does not load on CUDA: {str(error).splitlines()[0]}"
    if session.get_providers()[0] != providers.CUDA:
        return "onnxruntime has CUDA, but its libraries or the driver do not load: its own lines above say which"
    return ""


def python_with_torch() -> str:
    """Return an interpreter that has PyTorch and transformers: this one, else that below this environment; or ""."""
    if all(map(find_spec, TORCH)):
        return sys.executable
    below = Path(sys.base_prefix, "bin", f"python{sys.version_info[0]}.{sys.version_info[1]}")
    asked = [str(below), "-c", f"import {', '.join(TORCH)}"]
    try:
        return str(below) if not subprocess.run(asked, capture_output=True, check=False).returncode else ""
    except OSError:
        return ""


@contextmanager
def own_packages() -> Iterator[dict[str, str]]:
    """Give an environment in which another Python finds our packages, and none of ours beside them."""
    with TemporaryDirectory(prefix="triptych-packages-") as folder:
        for name in PACKAGES:
            Path(folder, name).symlink_to(package_folder(name, f"the package {name} is missing").resolve())
        Path(folder, "benchmarks").symlink_to(Path(benchmarks.__file__).resolve().parent)
        yield {**os.environ, "PYTHONPATH": folder, "TRIPTYCH_HOME": str(HOME)}
