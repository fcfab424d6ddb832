"""What a decoder can not do, each tried by a process that has entered the sandbox."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from triptych.media.decoders import bounds, memory, sandbox
from triptych.media.limits import Limits

ENTER = """
import json, os, resource, socket, sys
import numpy as np
from triptych.media.decoders import sandbox
from triptych.media.decoders.bounds import Bounds
sandbox.enter(Bounds({memory}, {cpu}, 60), filtered={filtered})
def tried(deed):
    try:
        deed()
    except (OSError, MemoryError, ValueError) as error:
        return type(error).__name__
    return "done"
"""
TRY = """
answers = {
    "read a file": tried(lambda: open("/etc/passwd")),
    "list a folder": tried(lambda: os.listdir("/")),
    "connect": tried(lambda: socket.socket().connect(("127.0.0.1", 9))),
    "fork": tried(os.fork),
    "run a program": tried(lambda: os.execv("/bin/true", ["true"])),
    "end another": tried(lambda: os.kill(os.getppid(), 0)),
    "trace another": tried(lambda: os.readlink(f"/proc/{os.getppid()}/exe")),
    "remove": tried(lambda: os.unlink(sys.argv[1])),
    "raise its limits": tried(lambda: resource.setrlimit(resource.RLIMIT_DATA, (1 << 40, 1 << 40))),
    "compute": tried(lambda: np.linalg.inv(np.eye(200))),
}
print(json.dumps(answers))
"""
MIB = 1 << 20


def run(code: str, *arguments: str, memory_mib: int = 1024, cpu_s: int = 10, filtered: bool = True):
    enter = ENTER.format(memory=memory_mib * MIB, cpu=cpu_s, filtered=filtered)
    command = [sys.executable, "-c", enter + code, *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True)


needs_filter = pytest.mark.skipif(bool(sandbox.available()), reason=f"no filter here: {sandbox.available()}")


@needs_filter
def test_a_decoder_computes_and_does_nothing_else(tmp_path: Path):
    precious = tmp_path / "precious"
    precious.write_text("still here")
    answers = json.loads(run(TRY, str(precious)).stdout)
    assert answers.pop("compute") == "done"
    assert answers.pop("raise its limits") == "ValueError"
    assert set(answers.values()) == {"PermissionError"}, answers
    assert precious.read_text() == "still here"


@needs_filter
def test_threads_can_be_started():
    done = run("import threading; t = threading.Thread(target=lambda: print('ran')); t.start(); t.join()")
    assert done.stdout == "ran\n"


@pytest.mark.parametrize("filtered", [False, pytest.param(True, marks=needs_filter)])
def test_memory_ends_at_its_limit(filtered: bool):
    code = "print(tried(lambda: np.ones(512 << 20, np.uint8)))"
    assert run(code, memory_mib=300, filtered=filtered).stdout == "MemoryError\n"
    assert run(code, filtered=filtered).stdout == "done\n"


@pytest.mark.parametrize("filtered", [False, pytest.param(True, marks=needs_filter)])
def test_processor_time_ends_at_its_limit(filtered: bool):
    assert run("sandbox.allow_cpu(1)\nwhile True: pass", filtered=filtered).returncode == -signal.SIGXCPU


def test_no_file_can_be_written_or_dumped_even_without_the_filter(tmp_path: Path):
    code = "print(tried(lambda: os.write(os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY), b'x')))\n"
    done = run(code + "print(resource.getrlimit(resource.RLIMIT_CORE))", str(tmp_path / "new"), filtered=False)
    assert done.stdout == "OSError\n(0, 0)\n"
    assert (tmp_path / "new").stat().st_size == 0


def test_memory_that_is_shared_cannot_change_its_size():
    with memory.copied(b"clip") as clip:
        results = memory.blank(100)
        for descriptor, size in ((clip, 4), (results, 100)):
            for other in (size - 1, size + 1):
                with pytest.raises(PermissionError):
                    os.ftruncate(descriptor, other)
        with pytest.raises(PermissionError):
            os.pwrite(clip, b"x", 0)
        assert bytes(memory.read(clip, 4)) == b"clip"
        memory.write(results, 100)[3] = 7
        assert memory.read(results, 100)[3] == 7
        os.close(results)


def test_bounds_follow_from_the_limits():
    usual, raised = (bounds.of("video_decode", limits) for limits in (Limits(), Limits(seconds=240, side_px=8192)))
    assert raised.cpu_s == 4 * usual.cpu_s
    assert raised.wall_s == 4 * usual.wall_s
    assert raised.memory_bytes > usual.memory_bytes
