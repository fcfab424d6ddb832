"""JSON, JSON Lines, CSV and WebVTT, and the timeline under the subtitles."""

from __future__ import annotations

import csv
import io
import json
from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given

from samples import client as samples
from triptych_client import InvalidClip, formats
from triptych_client.results import TimelineWindow
from triptych_client.timeline import pieces, runs

ANSWERS = [samples.analysis(), samples.nothing()]


def window(start_s: float, end_s: float, label: str = "neutral", share: float = 1.0) -> TimelineWindow:
    return TimelineWindow(start_s, end_s, {label: share}, {})


def test_json_of_one_is_an_object_and_of_several_an_array():
    assert json.loads("".join(formats.json_object(ANSWERS[:1]))) == ANSWERS[0].to_dict()
    assert json.loads("".join(formats.json_array(ANSWERS))) == [answer.to_dict() for answer in ANSWERS]
    assert json.loads("".join(formats.json_array([]))) == []


def test_jsonl_is_an_answer_a_line():
    lines = "".join(formats.jsonl(ANSWERS)).splitlines()
    assert [json.loads(line) for line in lines] == [answer.to_dict() for answer in ANSWERS]


def test_error_line():
    assert json.loads(formats.error_line("клип.mp4", InvalidClip("why", "клип.mp4"))) == {
        "path": "клип.mp4",
        "error": "why",
    }


def test_csv_is_a_row_a_clip():
    rows = list(csv.DictReader(io.StringIO("".join(formats.csv_rows(ANSWERS)))))
    assert [row["path"] for row in rows] == [samples.PATH] * 2
    first, second = rows
    assert (first["label"], first["confidence"], first["sadness"]) == ("sadness", "0.341", "0.341")
    assert first["text"] == ANSWERS[0].transcript.text
    assert (first["voice_status"], first["voice_label"]) == ("absent", "")
    assert first["audio_tags"] == "Speech; Giggle; Rattle"
    assert (second["face_status"], second["language"], second["faces"]) == ("absent", "", "0")


def test_csv_of_nothing_has_a_header():
    assert "".join(formats.csv_rows([])).startswith("path,duration_s,label,")


def test_vtt():
    assert "".join(formats.vtt([samples.analysis()])) == (
        "WEBVTT\n\n"
        "00:00:00.400 --> 00:00:01.900\nНу что, звоним в скорую?\n[Sadness 34 %]\n\n"
        "00:00:01.900 --> 00:00:02.500\n[Sadness 34 %]\n\n"
        "00:00:02.500 --> 00:00:03.500\n[Happiness 70 %]\n\n"
        "00:00:04.100 --> 00:00:05.900\nОн меня бросил [и] ещё &lt;смеётся&gt; &amp; молчит.\n[Anger 60 %]\n\n"
    )


def test_vtt_in_russian_and_of_nothing():
    assert "[Грусть 34 %]" in "".join(formats.vtt([samples.analysis()], "ru"))
    assert "".join(formats.vtt([samples.nothing()])) == "WEBVTT\n\n"


def test_vtt_shows_an_utterance_of_no_length():
    spans = samples.f32([[0, 0], [3600, 3600]])
    text = "".join(formats.vtt([samples.analysis(TEXT_SPANS=spans)]))
    assert "00:00:00.000 --> 00:00:00.500" in text
    assert "01:00:00.000 --> 01:00:00.500" in text


def test_overlapping_windows_are_cut_in_the_middle():
    cut = pieces([window(0, 2), window(1, 3), window(2, 4)])
    assert [(piece.start_s, piece.end_s) for piece in cut] == [(0, 1.5), (1.5, 2.5), (2.5, 4)]


def test_equal_neighbours_are_joined_with_their_mean():
    joined = runs([window(0, 2, "fear", 0.4), window(2, 3, "fear", 0.7), window(3, 5, "anger", 0.9)])
    assert [(run.label, run.start_s, run.end_s) for run in joined] == [("fear", 0, 3), ("anger", 3, 5)]
    assert joined[0].confidence == pytest.approx((2 * 0.4 + 1 * 0.7) / 3)


@given(st.lists(st.sampled_from(["fear", "anger", "neutral"]), max_size=20))
def test_runs_cover_the_timeline_without_gaps(labels: list[str]):
    windows = [window(second, second + 2, label) for second, label in enumerate(labels)]
    covered = runs(windows)
    assert [left.end_s for left in covered[:-1]] == [right.start_s for right in covered[1:]]
    assert all(left.label != right.label for left, right in pairwise(covered))
    if windows:
        assert (covered[0].start_s, covered[-1].end_s) == (0, windows[-1].end_s)
