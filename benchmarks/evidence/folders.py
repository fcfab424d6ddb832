"""Are the clips of a folder as people have them all analysed, and nothing else, and are answers whole or not there?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.bars import Bar
from benchmarks.evidence.check import Bench, Check, flac
from triptych.paths import ROOT
from triptych_client.contract import SAMPLE_RATE_HZ

CLIPS = (b"IMG_1.MOV", b"IMG_1.mp4", b"deep/er/IMG_2.M2TS", "клип.3gp".encode(), b"caf\xe9.mxf", b"a\nb.ogv")
"""Names of clips; whatever their suffix says, FFmpeg looks at what is inside."""
OTHERS = (b"._IMG_1.MOV", b".trash/IMG_3.MOV", b"__MACOSX/IMG_1.MOV", b"$RECYCLE.BIN/x.mp4", b"notes.txt", b"app.ts")
COMMAND = (sys.executable, "-c", "from triptych_client.cli import main; main()")
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def measure(bench: Bench) -> list[Bar]:
    """Analyse such a folder from a console that is ASCII, then once more onto a disk that is full."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        _fill(folder / "in")
        analyze = ("analyze", str(folder / "in"), "--url", bench.client.url, "--format", "json", "--out")
        told = _run(*analyze, f"{folder}/out/")
        written = [path for path in (folder / "out").rglob("*") if path.is_file()]
        full = _run(*analyze, "/dev/full")
    return [
        Bar(
            f"of {len(CLIPS)} clips in a folder, those with a whole answer",
            sum(map(_whole, written)),
            len(CLIPS),
            at_least=True,
        ),
        Bar("files beside their answers", len(written) - len(CLIPS), 0),
        Bar("lines that tell what was skipped", told.stderr.count(b"skipped: "), 1),
        Bar("errors told for such a folder", told.returncode, 0),
        Bar("tracebacks, there and on a full disk", (told.stderr + full.stderr).count(b"Traceback"), 0),
        Bar("exit code of the latter", full.returncode, 1, at_least=True),
    ]


def _fill(folder: Path) -> None:
    """Make a folder of clips, and of what else lies in folders: links in a circle and a pipe, too."""
    time_s = np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    clip = flac(0.3 * np.sin(2 * np.pi * 440 * time_s).astype(np.float32))
    for name in (*CLIPS, *OTHERS):
        path = folder / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(clip if name in CLIPS else b"no clip")
    (folder / "deep" / "up").symlink_to(folder)
    (folder / "lost.mp4").symlink_to("gone.mp4")
    os.mkfifo(folder / "pipe.mp4")


def _run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    paths = os.pathsep.join(map(str, (ROOT, ROOT / "client")))
    environment = {**os.environ, **ASCII, "PYTHONPATH": paths}
    return subprocess.run([*COMMAND, *arguments], env=environment, capture_output=True, check=False)


def _whole(path: Path) -> bool:
    try:
        return bool(json.loads(path.read_text(encoding="utf-8"))["clip"])
    except ValueError:
        return False


CHECK = Check("folders", measure)
