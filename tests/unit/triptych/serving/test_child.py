"""A program that ends with who started it, and takes along what it has started itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil

from triptych.serving.child import Child

PROGRAM = """
import subprocess, sys
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(3600)"
started = subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE)
started.stdout.readline()
open(sys.argv[1], "w").write(str(started.pid) + chr(10))
started.wait()
"""
"""Starts a process that asks nothing of its parent and hears nothing, and writes down which it is."""

OWNER = """
import sys
from pathlib import Path
from triptych.serving.child import Child
program, noted, log = sys.argv[1:]
child = Child([sys.executable, "-c", program, noted], environment={}, folder=Path.cwd(), log=Path(log))
child.wait()
"""
PATIENCE_S = 60


def started(noted: Path, owner: psutil.Process) -> psutil.Process:
    """Return the process that the program has started, as soon as it is noted."""
    while not (noted.exists() and noted.read_text().endswith("\n")):
        assert owner.is_running()
    return psutil.Process(int(noted.read_text()))


def test_when_its_owner_is_killed_all_that_a_program_has_started_ends(tmp_path: Path) -> None:
    noted = tmp_path / "noted"
    command = [sys.executable, "-c", OWNER, PROGRAM, str(noted), str(tmp_path / "log")]
    with subprocess.Popen(command) as owner:
        family = [started(noted, psutil.Process(owner.pid)), *psutil.Process(owner.pid).children(recursive=True)]
        owner.kill()
    _, alive = psutil.wait_procs(family, timeout=PATIENCE_S)
    assert alive == []


def test_when_a_program_is_killed_all_that_it_has_started_ends(tmp_path: Path) -> None:
    noted = tmp_path / "noted"
    command = [sys.executable, "-c", PROGRAM, str(noted)]
    child = Child(command, environment={}, folder=tmp_path, log=tmp_path / "log")
    left = started(noted, psutil.Process(child.pid))
    psutil.Process(child.pid).kill()
    assert child.wait(PATIENCE_S) == -9
    _, alive = psutil.wait_procs([left], timeout=PATIENCE_S)
    assert alive == []
