"""The answers for windows as one: times, people, timeline, and the mean of the whole."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from samples import client as samples
from triptych_client import Analysis, InvalidClip, schema
from triptych_client.footage import people
from triptych_client.footage.parts import Journal, Part
from triptych_client.footage.stitching import stitch
from triptych_client.results import Face

PATH = "film.mp4"
LENGTH_S = 4.0
"""Of a part's own stretch; its answer is the sample's, of 6 s: one second before, and one behind."""


def part(index: int, look: int | None = None, **changes: np.ndarray) -> Part:
    looks = None if look is None else samples.looks(look)["TRACK_LOOKS"]
    start_s = index * LENGTH_S
    return Part(index, start_s, start_s + LENGTH_S, start_s - 1.0, samples.analysis(**changes), looks)


def faces(*rows: tuple[float, int, float]) -> tuple[Face, ...]:
    """Return faces by time, track and left edge."""
    return tuple(Face(time_s, track, (x, 0.0, x + 100.0, 100.0), 0.9, None) for time_s, track, x in rows)


def seen(index: int, look: int | None, *rows: tuple[float, int, float]) -> Part:
    made = part(index, look)
    return replace(made, analysis=replace(made.analysis, faces=faces(*rows)) if made.analysis else None)


def test_an_answer_of_a_film_is_valid_and_comes_back_equal():
    film = stitch([part(0), part(1), part(2)], PATH, 12.0)
    jsonschema.Draft202012Validator(schema.load()).validate(json.loads(film.to_json()))
    assert Analysis.from_dict(json.loads(film.to_json())) == film
    assert (film.clip.path, film.clip.duration_s) == (PATH, 12.0)
    assert film.footage is not None
    assert film.footage.complete


def test_times_are_those_of_the_film_and_each_part_tells_its_own():
    film = stitch([part(1), part(0)], PATH, 8.0)
    starts = [window.start_s for window in film.timeline]
    assert starts == [0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    assert [face.time_s for face in film.faces] == pytest.approx([0.0, 1.04, 5.04])
    assert all(len(person.timeline) == len(film.timeline) for person in film.people)
    assert all(len(tag.timeline) in (0, len(film.timeline)) for tag in film.audio_tags)


def test_the_whole_is_the_mean_over_time():
    one = stitch([part(0)], PATH, 4.0)
    three = stitch([part(0), part(1), part(2)], PATH, 12.0)
    assert three.emotion.probabilities == pytest.approx(one.emotion.probabilities, abs=1e-5)
    assert sum(three.emotion.probabilities.values()) == pytest.approx(1, abs=1e-5)
    total = dict.fromkeys(three.emotion.probabilities, 0.0)
    for channel in three.channels.values():
        for emotion, value in (channel.contribution or {}).items():
            total[emotion] += value
    shares = np.exp(list(total.values())) / np.exp(list(total.values())).sum()
    assert list(three.emotion.probabilities.values()) == pytest.approx(shares.tolist(), abs=1e-5)


def test_a_silent_stretch_takes_nothing_from_the_rest():
    quiet = replace(part(1), analysis=samples.nothing())
    film, alone = stitch([part(0), quiet], PATH, 8.0), stitch([part(0)], PATH, 4.0)
    assert film.emotion.probabilities == alone.emotion.probabilities
    assert film.channels["face"].status == "ok"
    assert film.channels["voice"].status == "failed"


def test_a_part_that_failed_is_told_and_the_film_goes_on():
    failed = Part(1, 4.0, 8.0, 3.0, error="too many pixels")
    film = stitch([part(0), failed, part(2)], PATH, 12.0)
    assert film.footage is not None
    assert (film.footage.complete, film.footage.interrupted) == (False, False)
    assert [told.error for told in film.footage.parts] == ["", "too many pixels", ""]
    assert not [window for window in film.timeline if 5.0 <= window.start_s < 7.0]
    with pytest.raises(InvalidClip, match="too many pixels"):
        stitch([failed], PATH, 12.0)


def test_an_interrupted_film_says_so():
    film = stitch([part(0)], PATH, 100.0, interrupted=True)
    assert film.footage is not None
    assert (film.footage.complete, film.footage.interrupted) == (False, True)
    assert film.clip.duration_s == 100.0


def test_who_is_in_the_same_place_at_a_cut_is_the_same_person():
    left = seen(0, None, (2.0, 0, 0.0), (2.0, 1, 300.0), (5.2, 0, 0.0), (5.2, 1, 300.0))
    right = seen(1, None, (1.1, 0, 310.0), (1.1, 1, 10.0), (3.0, 2, 600.0))
    assert people.join([left, right]) == {(0, 0): 0, (0, 1): 1, (1, 0): 1, (1, 1): 0, (1, 2): 2}


def test_who_comes_back_is_known_by_the_look():
    who = [seen(0, 7, (2.0, 0, 0.0)), seen(1, 8, (3.0, 0, 0.0)), seen(2, 7, (3.0, 0, 400.0))]
    assert list(people.join(who).values()) == [0, 1, 0]


def test_without_looks_in_doubt_somebody_is_new():
    assert list(people.join([seen(0, None, (2.0, 0, 0.0)), seen(1, None, (3.0, 0, 0.0))]).values()) == [0, 1]


def test_two_people_at_once_are_two_whatever_they_look_like():
    twins = part(0)
    assert twins.analysis
    both = samples.looks(3, 3)["TRACK_LOOKS"]
    told = replace(twins, analysis=replace(twins.analysis, faces=faces((2.0, 0, 0.0), (2.0, 1, 300.0))), looks=both)
    assert list(people.join([told]).values()) == [0, 1]


def test_parts_are_kept_and_read_back(tmp_path: Path):
    path, key = tmp_path / "film.parts", ("film.mp4", "1", "2")
    journal = Journal(path, key)
    kept = part(0, 5)
    for one in (kept, Part(1, 4.0, 8.0, 3.0, error="busy")):
        journal.keep(one)
    with path.open("a") as file:
        file.write('{"index": 2, "torn')
    again = Journal(path, key)
    assert again.parts == {0: kept}
    assert np.array_equal(again.parts[0].looks, kept.looks)
    assert Journal(path, ("film.mp4", "1", "3")).parts == {}
    journal.end()
    assert not path.exists()
