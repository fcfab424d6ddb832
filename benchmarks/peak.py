"""How much memory does a piece of work need at its peak? Each answer comes from a fresh process.

`mib("package.module:function", ...)` starts one that imports the module, notes its memory, calls the function with the
(JSON) arguments, and returns by how much it grew at most: interpreter and libraries are not counted. Linux only. The
high-water mark is that of /proc/self/status, reset after the imports; `ru_maxrss` would start at the parent's.
"""

from __future__ import annotations

import gc
import json
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

KIB_PER_MIB = 1 << 10
RESET_PEAK = "5"
"""Written to /proc/self/clear_refs, it sets the high-water mark to the memory of now (proc(5))."""


def mib(function: str, *arguments: object) -> float:
    """Return how much memory, in MiB, a call of `module:function` adds at its peak, on one thread."""
    command = [sys.executable, "-m", "benchmarks.peak", function, json.dumps(arguments)]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(command, env=os.environ | threads, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{function}{arguments} failed in its process: {done.stderr.strip()[-2000:]}")
    return float(done.stdout.splitlines()[-1])


def _grown(function: str, arguments: list[object]) -> float:
    module, _, name = function.partition(":")
    call = getattr(import_module(module), name)
    gc.collect()
    Path("/proc/self/clear_refs").write_text(RESET_PEAK)
    before = _status("VmRSS")
    call(*arguments)
    return (_status("VmHWM") - before) / KIB_PER_MIB


def _status(field: str) -> int:
    """Return a field of /proc/self/status, in KiB."""
    found = re.search(rf"^{field}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1])


if __name__ == "__main__":
    print(_grown(sys.argv[1], json.loads(sys.argv[2])))
