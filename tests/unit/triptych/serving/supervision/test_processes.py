"""Which process runs which step, and whether it works: on processes made for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from triptych.serving import work
from triptych.serving.supervision.processes import Steps, lives, step_of
from triptych.serving.work import Work

STUB = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()", "1", "2", "3", "4", "5"]
"""A process whose ninth word is the name of an instance, as in the command line of Triton's stub."""
SPIN = "print(flush=True)\nwhile True: pass"


@pytest.fixture
def children() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that end with the test."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.communicate()


def begin(children: list[subprocess.Popen[bytes]], *command: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    children.append(process)
    assert process.stdout
    process.stdout.readline()
    return process


def test_a_stub_is_known_by_its_instance(children: list[subprocess.Popen[bytes]]):
    assert step_of(psutil.Process(begin(children, *STUB, "sound_emotion_0_12").pid)) == "sound_emotion"
    assert step_of(psutil.Process(begin(children, *STUB, "other").pid)) == ""
    assert step_of(psutil.Process()) == ""


def test_a_step_is_dead_when_one_of_its_instances_is(children: list[subprocess.Popen[bytes]]):
    whisper, twin, other = (begin(children, *STUB, name) for name in ("whisper_0_0", "whisper_0_1", "fusion_0_0"))
    steps = Steps(os.getpid(), {"whisper", "fusion"})
    assert {process.pid for process in steps.all()} == {os.getpid(), whisper.pid, twin.pid, other.pid}
    assert steps.dead() == ()
    twin.send_signal(signal.SIGSTOP)
    assert lives(psutil.Process(twin.pid))
    steps.kill(["whisper"])
    whisper.wait()
    assert steps.dead() == ("whisper",)


def test_loaded_anew_a_step_has_other_processes(children: list[subprocess.Popen[bytes]]):
    begin(children, *STUB, "whisper_0_0")
    steps = Steps(os.getpid(), {"whisper"})
    new = begin(children, *STUB, "whisper_0_0")
    steps.find(["whisper"])
    assert [process.pid for process in steps.of("whisper")] == [new.pid]


def test_a_step_that_was_replaced_has_other_processes_and_one_that_was_not_keeps_its_own(
    children: list[subprocess.Popen[bytes]],
):
    _, fusion = (begin(children, *STUB, name) for name in ("whisper_0_0", "fusion_0_0"))
    steps = Steps(os.getpid(), {"whisper", "fusion"})
    for _ in range(2):  # those that were replaced may be at work still, and are not found again
        new = begin(children, *STUB, "whisper_0_0")
        assert steps.find_replaced(["whisper", "fusion"]) == ("whisper",)
        assert [process.pid for process in steps.of("whisper")] == [new.pid]
        assert [process.pid for process in steps.of("fusion")] == [fusion.pid]
    assert steps.find_replaced(["whisper"]) == ()
    assert steps.dead() == ()


def test_a_step_without_a_process_is_dead():
    assert Steps(os.getpid(), {"whisper"}).dead() == ("whisper",)


def test_who_works_is_not_idle_and_who_waits_is(children: list[subprocess.Popen[bytes]], monkeypatch):
    monkeypatch.setattr(work, "SAMPLE_S", 0.2)
    busy, waiting = begin(children, sys.executable, "-c", SPIN), begin(children, *STUB, "whisper_0_0")
    works, waits = Work([psutil.Process(busy.pid)]), Work([psutil.Process(waiting.pid)])
    deadline = time.monotonic() + 60
    while waits.idle_s() < 1.0:
        works.idle_s()
        assert time.monotonic() < deadline
    assert works.idle_s() < waits.idle_s()
    busy.send_signal(signal.SIGSTOP)
    while works.idle_s() < 1.0:
        assert time.monotonic() < deadline


def test_the_work_of_children_counts(children: list[subprocess.Popen[bytes]], monkeypatch):
    monkeypatch.setattr(work, "SAMPLE_S", 0.2)
    spin = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SPIN!r}])"
    parent = begin(children, sys.executable, "-c", spin)
    begun, works = time.monotonic(), Work([psutil.Process(parent.pid)])
    child = psutil.Process(parent.pid).children()[0]
    used_s = child.cpu_times().user
    while child.cpu_times().user < used_s + 0.5:
        works.idle_s()
        assert time.monotonic() < begun + 60
    assert works.idle_s() < time.monotonic() - begun - 0.1
    child.kill()
