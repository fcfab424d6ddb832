"""Doubling the instances of the steps that are in the way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import typer

from benchmarks import layout
from benchmarks.gpu_check.results import Load
from benchmarks.layout import Round
from triptych.paths import MODEL_REPOSITORY
from triptych.serving.profile import read_all

PROFILES = {profile.name: profile for profile in read_all()}
LOAD = Load(callers=4, seconds=10.0, answered=40, refused=0, failed=0, median_s=0.9, p95_s=1.2, card=None)
ONE = Round({"whisper": 1, "fusion": 2}, LOAD, {"whisper": 0.6, "fusion": 0.2}, 1.5, None)


def search(*answered: int) -> layout.Search:
    """A search whose rounds answered so many clips."""
    made = layout.Search.__new__(layout.Search)
    made.rounds = [replace(ONE, load=replace(LOAD, answered=count)) for count in answered]
    made.profile, made.callers, made.seconds = PROFILES["cuda"], 4, 10.0
    made.machine = {"GPU": "no GPU"}
    return made


def test_a_step_is_in_the_way_when_its_instances_are_busy_the_busiest_first():
    busy = {"fusion": 0.2, "whisper": 0.6, "face_detector": 0.9, "expression": 0.5}
    assert layout.crowded(replace(ONE, busy=busy)) == ["face_detector", "whisper"]


def test_only_those_steps_are_doubled():
    assert layout.doubled({"whisper": 1, "fusion": 2, "expression": 3}, ["fusion", "expression"]) == {
        "whisper": 1,
        "fusion": 4,
        "expression": 6,
    }


@pytest.mark.parametrize(
    ("answered", "on"), [((40,), True), ((40, 43), True), ((40, 41), False), ((40, 60, 59), False)]
)
def test_it_goes_on_while_the_last_layout_gained(answered: tuple[int, ...], on: bool):
    assert search(*answered).gained() is on


@pytest.mark.parametrize("name", PROFILES)
def test_a_layout_is_the_profile_with_other_numbers_of_instances(name: str, tmp_path: Path):
    """Nothing of the repository is copied or changed but that config, which is a new file."""
    profile, made = PROFILES[name], replace(PROFILES[name], file=Path(f"{layout.NAME}.toml"))
    wanted = {**layout.read_counts(MODEL_REPOSITORY, profile), "whisper": 7}
    layout.lay_out(MODEL_REPOSITORY, profile, wanted, target := tmp_path / "model_repository")
    assert layout.read_counts(target, made) == wanted
    before = layout.read_counts(MODEL_REPOSITORY, profile)
    assert layout.read_counts(target, profile) == before
    assert before["whisper"] != 7
    theirs, ours = (layout._config(target, "whisper", one) for one in (profile, made))
    ours.instance_group[0].count = theirs.instance_group[0].count
    assert ours == theirs


def test_a_profile_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(typer.BadParameter, match="there is no profile tpu: there are cpu, cuda, gpu"):
        layout.main(profile="tpu")


def test_the_page_says_how_busy_each_step_was_in_each_round():
    text = layout.page(search(40, 60))
    assert "| whisper | 1: 0.60 | 1: 0.60 |" in " ".join(text.split())
    assert "| 2 | 6.00 |" in " ".join(text.split())
