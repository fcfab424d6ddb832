"""The limit of a machine from the costs of its steps, and the longest way through a graph."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.limit import crew
from benchmarks.limit.costs import Cost, limit, longest
from triptych.serving import wiring
from triptych.serving.wiring import Node
from triptych_client.contract import STEPS, Step

SECONDS = {"probe": 0.1, "face": 0.5, "sound": 0.3, "words": 0.4, "fusion": 0.2}
GRAPH = (
    ("probe", ["CLIP"], ["facts"]),
    ("face", ["facts"], ["faces"]),
    ("sound", ["facts"], ["pcm"]),
    ("words", ["pcm"], ["texts"]),
    ("fusion", ["facts", "faces", "texts"], ["ANSWER"]),
)


def nodes() -> list[Node]:
    return [
        Node(Step(name, "", 0, (), ()), {one: one for one in taken}, {one: one for one in made})
        for name, taken, made in GRAPH
    ]


def test_the_longest_way_goes_through_the_slower_branch() -> None:
    path, seconds = longest(nodes(), SECONDS)
    assert path == ("probe", "sound", "words", "fusion")
    assert seconds == pytest.approx(1.0)
    assert longest(nodes(), SECONDS | {"face": 0.8})[0] == ("probe", "face", "fusion")


def test_the_real_graph_has_a_way_from_its_first_step_to_its_last() -> None:
    path, seconds = longest(wiring.nodes(), dict.fromkeys(STEPS, 1.0))
    assert (path[0], path[-1], seconds) == ("media_probe", "fusion", len(path))


def test_the_limit_is_the_sum_of_the_best_ways_and_one_clip_takes_at_least_its_longest() -> None:
    single = [Cost(name, threads=1, clips=1, at_once=2, run_s=seconds) for name, seconds in SECONDS.items()]
    better = Cost("words", threads=1, clips=4, at_once=2, run_s=0.8)
    faster_alone = Cost("words", threads=2, clips=1, at_once=1, run_s=0.3)
    found = limit([*single, better, faster_alone], nodes())
    assert found.best["words"] == better
    assert found.work_s == pytest.approx(0.05 + 0.25 + 0.15 + 0.1 + 0.1)
    assert found.a_second == pytest.approx(1 / 0.65)
    assert found.path_s == pytest.approx(0.1 + 0.3 + 0.3 + 0.2)
    assert found.least_s == found.path_s


def test_the_work_of_a_clip_bounds_what_takes_no_long_way() -> None:
    found = limit([Cost(name, 1, 1, 1, seconds) for name, seconds in SECONDS.items()], nodes())
    assert found.least_s == found.work_s == pytest.approx(1.5)


@pytest.mark.parametrize(("cores", "threads"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6]), (16, [1, 2, 4, 8, 16])])
def test_threads_are_tried_up_to_one_a_core(cores: int, threads: list[int]) -> None:
    assert crew.ways(cores) == threads


def test_the_rows_of_several_clips_are_one_question() -> None:
    rows = {"FACES": np.arange(6).reshape(3, 2), "POSITIONS": np.zeros((3, 1))}
    asked = crew.together(rows, 2)
    assert {name: array.shape for name, array in asked.items()} == {"FACES": (6, 2), "POSITIONS": (6, 1)}
    assert asked["FACES"][3:].tolist() == rows["FACES"].tolist()
