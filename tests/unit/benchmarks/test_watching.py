"""What is read of a server's processes, and the line that is laid through it."""

from __future__ import annotations

import subprocess
import sys
import uuid
from pathlib import Path

import numpy as np
import pytest

from benchmarks.bars import Bar, bars_table, growth_bars
from benchmarks.watching import MEASURES, SHARED, Sample, Watch, family, percentile, trend

HOLDER = """
import mmap, subprocess, sys
file = open(sys.argv[1], "w+b")
file.truncate(4096)
held = mmap.mmap(file.fileno(), 4096)
held[0] = 1
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
print("ready", flush=True)
input()
child.communicate(b"x")
"""
"""A process with a child that maps a file of shared memory, until it gets a line."""


def samples(values: list[float], interval_s: float = 1.0) -> list[Sample]:
    return [Sample(interval_s * index, value, 0.0, 10, 3) for index, value in enumerate(values)]


def test_the_slope_of_a_line_is_found_and_its_interval_is_narrow() -> None:
    line = trend(samples([100 + 2 * index for index in range(30)]), "pss_mib")
    assert line.per_hour == pytest.approx(7200)
    assert line.low == pytest.approx(7200)
    assert line.high == pytest.approx(7200)


def test_noise_has_an_interval_around_nothing() -> None:
    noise = np.random.default_rng(0).normal(1000, 20, 600)
    line = trend(samples(noise.tolist()), "pss_mib")
    assert line.low < 0 < line.high
    assert line.mean == pytest.approx(1000, rel=0.01)


def test_growth_is_held_against_its_bar_as_a_share_of_the_mean() -> None:
    grown = samples([100 + index for index in range(101)])
    hours = 100 / 3600
    (bar,) = growth_bars(grown, hours, {"pss_mib": 5.0})
    assert bar.value == pytest.approx(100 * 100 / 150)
    assert not bar.met
    (flat,) = growth_bars(grown, hours, {"files": 5.0})
    assert flat.value == 0
    assert flat.met


def test_what_was_not_measured_meets_no_bar() -> None:
    assert not Bar("a refusal, p99", percentile([], 0.99), 200, "ms").met
    assert "**no**" in bars_table([Bar("answers", 0.5, 0.9, at_least=True)])


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.99) == 4.0
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.5) == 3.0


def test_a_family_is_read_and_what_it_shared_is_remembered() -> None:
    shared = Path(SHARED, f"triptych-test-{uuid.uuid4()}")
    command = [sys.executable, "-c", HOLDER, str(shared)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "ready\n"
        watch = Watch(holder.pid)
        reading = watch.read()
        assert reading.processes == len(family(holder.pid)) == 2
        assert reading.pss_mib > 1
        assert reading.files > 6
        assert reading.shm_mib == pytest.approx(4096 / 2**20)
        assert watch.left_behind() == [shared.name]
        holder.communicate("go\n")
    gone = watch.read()
    assert {measure: getattr(gone, measure) for measure in MEASURES} == dict.fromkeys(MEASURES, 0)
    shared.unlink()
    assert watch.left_behind() == []
