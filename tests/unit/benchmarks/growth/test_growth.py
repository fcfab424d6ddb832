"""Lines through what was measured, memory by answers given, and what the page says of them."""

from __future__ import annotations

import os

import numpy as np
import psutil
import pytest

from benchmarks.growth import costs, lines, page
from benchmarks.growth.clips import as_person
from benchmarks.growth.costs import Asked, Found, Growth
from benchmarks.watching import Sample


def sample(at_s: float, pss_mib: float) -> Sample:
    return Sample(at_s, pss_mib, shm_mib=0.0, files=1, processes=1)


def growth(slope: float) -> Growth:
    asked = [
        Asked(size, wall_s=1 + slope * size, cpu_s=2 + slope * size + wobble)
        for size in (1.0, 16.0, 64.0)
        for wobble in (-0.01, 0.0, 0.01)
    ]
    return Growth("people", {size: Found(64, int(size)) for size in (1.0, 16.0, 64.0)}, asked)


def test_a_line_has_its_slope_within_its_interval_and_what_is_always_paid() -> None:
    line = growth(0.5).line()
    assert line.low < 0.5 < line.high
    assert (line.slope, line.fixed) == (pytest.approx(0.5), pytest.approx(2.0))
    assert line.at(10) == pytest.approx(7.0)


def test_the_interval_covers_the_slope_as_often_as_it_says() -> None:
    random, sizes = np.random.default_rng(0), np.repeat([1.0, 2.0, 4.0], 4)
    found = [lines.through(sizes, 3 * sizes + random.normal(0, 1, len(sizes))) for _ in range(1000)]
    covered = np.mean([line.low <= 3 <= line.high for line in found])
    assert 0.92 < covered < 0.98


def test_memory_is_told_by_answers_after_the_first_tenth() -> None:
    ends_s = [float(number) for number in range(1, 101)]
    samples = [sample(at_s + 0.5, 100.0 if at_s < 10 else 2000 + 0.5 * at_s) for at_s in range(100)]
    memory = costs.remembered(samples, ends_s)
    assert memory.answers == 100
    assert memory.peak_mib == pytest.approx(2049.5)
    assert memory.line.slope == pytest.approx(0.5)
    assert "+500.0 MiB for 1000 answers" in page.memory_line(memory)


def test_the_processor_time_of_processes_that_have_ended_is_not_asked_for() -> None:
    own = psutil.Process(os.getpid())
    before = costs.cpu_s([own])
    sum(range(200_000))
    assert costs.cpu_s([own]) >= before > 0


def test_the_page_holds_people_and_memory_against_their_goals() -> None:
    slow = page.held(growth(0.5), None)
    assert "**no**" in slow
    assert slow.count("not measured") == 2
    assert "| yes" in page.held(growth(0.001), None)
    assert "500.0 ms" in page.section(growth(0.5))


def test_a_person_is_the_same_in_each_picture_and_another_one_is_not() -> None:
    picture = np.full((64, 48, 3), 128, np.uint8)
    assert np.array_equal(as_person(picture, 1), as_person(picture, 1))
    assert np.abs(as_person(picture, 1).astype(int) - as_person(picture, 2)).mean() > 5
    assert as_person(picture, 1).shape == picture.shape
