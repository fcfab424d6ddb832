"""The proof of a job finds what it is there to find: a clip that is lost or doubled, and another clip's answer."""

from __future__ import annotations

import io
from typing import Any

import av
import pytest

from benchmarks.batch.checks import Wanted, flaws
from benchmarks.batch.clips import film, length_s, short_clip

WANTED = Wanted({"s3://clips/a": 0.3, "s3://clips/b": 0.302}, ["s3://clips/gone"])
LOST = {"path": "s3://clips/gone", "error": "there is nothing there", "duration_s": None}


def clip(path: str, seconds: float, error: str | None = None) -> dict[str, Any]:
    return {"path": path, "duration_s": seconds, "error": error}


def window(path: str, start_s: float = 0.0) -> dict[str, Any]:
    return {"path": path, "start_s": start_s}


A, B = clip("s3://clips/a", 0.3), clip("s3://clips/b", 0.302)
WINDOWS = [window(A["path"]), window(B["path"]), window(B["path"], 1.0)]


def test_each_clip_once_is_right():
    assert flaws(WANTED, [A, B, LOST], WINDOWS, [LOST]) == []


@pytest.mark.parametrize(
    ("clips", "windows", "dead", "said"),
    [
        ([A, LOST], WINDOWS, [LOST], "s3://clips/b is there 0 times"),
        ([A, A, B, LOST], WINDOWS, [LOST], "s3://clips/a is there 2 times"),
        ([A, B, LOST, clip("s3://clips/c", 1)], [*WINDOWS, window("s3://clips/c")], [LOST], "c was not asked for"),
        ([A, clip("s3://clips/b", 0.3), LOST], WINDOWS, [LOST], "b is 0.302 s long, and the answer says 0.3"),
        ([A, clip("s3://clips/b", 0.302, "why"), LOST], WINDOWS, [LOST], "s3://clips/b is 0.302 s long"),
        ([A, B, LOST], [*WINDOWS, WINDOWS[-1]], [LOST], "the window of s3://clips/b at 1.0 s is there 2 times"),
        ([A, B, LOST], WINDOWS[:1], [LOST], "s3://clips/b has no window"),
        ([A, B, LOST], WINDOWS, [], "dead letters are []"),
    ],
)
def test_what_is_wrong_is_said(clips: list[Any], windows: list[Any], dead: list[Any], said: str):
    (flaw,) = flaws(WANTED, clips, windows, dead)
    assert said in flaw


@pytest.mark.parametrize(("data", "seconds"), [(short_clip(7), length_s(7)), (film(3), 3.0)])
def test_a_made_clip_is_as_long_as_it_says(data: bytes, seconds: float):
    with av.open(io.BytesIO(data)) as container:
        assert container.duration / av.time_base == pytest.approx(seconds, abs=0.0011)
