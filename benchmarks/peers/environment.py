"""The environment of the peers: their packages beside ours, which stay as they are.

It lies below build/ and is made at its first use, which needs the package index. What is installed here is found there
too, so that both compute with the same ONNX Runtime, numpy and PyTorch.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

from triptych.errors import TriptychError
from triptych.paths import BUILD, ROOT

FOLDER = BUILD / "benchmarks" / "peers"
PACKAGES = (
    "litserve==0.2.19",
    "ray[serve]==2.60.0",
    "faster-whisper==1.2.1",
    "openai-whisper==20250625",
    "protobuf<7",  # ours has tritonclient's; a newer one beside it would be the one that is found
)
BESIDE = "triptych-beside.pth"
DONE = "installed"


def python(chosen: Path | None = None) -> Path:
    """Return the interpreter of the peers' environment: the one that is chosen, else of one that is made if need be."""
    if chosen:
        if not chosen.is_file():
            raise TriptychError(
                f"there is no interpreter {chosen}: --peers-python is one that has {', '.join(PACKAGES)}"
            )
        return chosen
    interpreter = FOLDER / "bin" / "python"
    if not (FOLDER / DONE).is_file() or (FOLDER / DONE).read_text(encoding="utf-8") != "\n".join(PACKAGES):
        _make(interpreter)
    return interpreter


def _make(interpreter: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(FOLDER)], check=True)
    beside = _site_packages(interpreter) / BESIDE
    beside.write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    installing = [str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES]
    done = subprocess.run(installing, capture_output=True, text=True, check=False)
    if done.returncode:
        raise TriptychError(f"the peers cannot be installed into {FOLDER}: {done.stderr.strip()[-1000:]}")
    (FOLDER / DONE).write_text("\n".join(PACKAGES), encoding="utf-8")


def _site_packages(interpreter: Path) -> Path:
    asked = [str(interpreter), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    return Path(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip())


def variables() -> dict[str, str]:
    """Return the environment in which a peer's process finds our code."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "client")])}
