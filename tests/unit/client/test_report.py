"""The report for people, as text."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from samples import client as samples
from triptych_client import contract, decode, report, results
from triptych_client.english import ENGLISH
from triptych_client.labels import Labels
from triptych_client.languages import LANGUAGES
from triptych_client.results import Analysis
from triptych_client.russian import RUSSIAN

NAMES = {"clips", "demo", "fer", "cnn", "tag", "comparison", "MIT", "Triptych", "Triton"}
"""What a Russian report leaves as it is: names of files, models, licences and programs, digests."""


def printed(answer: Analysis, lang: str = "en", width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    return "".join(report.text([answer], console, lang))


def line_with(words: str, text: str) -> str:
    return next(line for line in text.splitlines() if words in line)


def test_report_says_everything():
    text = printed(samples.analysis())
    assert "6.0 s · 1280×720 · 25 fps" in text
    assert "sound track 2 of 2 is heard: Рассказ" in text
    assert "34.1 %" in line_with("Sadness", text)
    assert "The channels disagree." in text
    assert "0:00.4–0:01.9" in line_with("Ну что, звоним в скорую?", text)
    assert "Speech 92.0 % · Giggle 31.0 % · Rattle 6.0 %" in text
    assert "no model exported" in line_with("Voice", text)
    assert "70.0 %" in line_with("0:02.5–0:03.5", text)
    assert "Happiness 70.0 %" in line_with("person 1, 2×", text)
    assert "answer is about" not in text, "there is one person only"
    assert samples.SHA256[:12] in line_with("fer-cnn", text)
    assert "Triptych 0.1.0 · Triton 2.51.0" in text


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (["0", "", "", "2", "all"], ""),
        (["0", "", "", "6", "LFE"], "only the channel LFE of the sound is heard"),
        (["0", "", "", "2", "inverted"], "channels of the sound cancel each other"),
        (["0", "Film", "eng", "2", ""], ""),
    ],
)
def test_what_is_heard_of_the_only_sound_track_is_told_where_it_is_not_all(row: list[str], told: str):
    arrays = samples.tensors(AUDIO_TRACKS=samples.strings([row]))
    text = printed(decode.analysis(arrays, "a.mp4", "2.51.0"))
    assert "sound track" not in text
    assert told in text
    assert ("channel" in text.split("Expressed")[0]) is bool(told)


def test_report_in_russian():
    text = printed(samples.analysis(), "ru")
    for words in (
        "Грусть",
        "Нейтральность",
        "Радость",
        "Речь 92.0 % · хихиканье 31.0 % · дребезжание 6.0 %",
        "модель не установлена",
        "звуки",
        "Каналы",
        "учтён",
        "главным образом",
    ):
        assert words in text
    english = set(re.findall(r"\b[A-Za-z]{3,}\b", text)) - NAMES
    assert not english


def test_report_of_nothing():
    text = printed(samples.nothing())
    assert "no video" in text
    assert "no speech" in text
    assert "no face" in text
    assert "too weak" in text
    assert "the aac audio could not be decoded" in line_with("Words", text)


def test_text_in_brackets_is_no_markup():
    assert "Он меня бросил [и] ещё <смеётся> & молчит." in printed(samples.analysis(), width=100)


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("lang", LANGUAGES)
def test_report_keeps_to_the_width(width: int, lang: str):
    long = samples.analysis(TEXTS=samples.strings(["word " * 60, "слово " * 60]))
    assert max(map(len, printed(long, lang, width).splitlines())) <= width


def test_many_people_are_summed_up():
    tracks = samples.np.arange(9, dtype=samples.np.int32)
    faces = {
        "TRACK_SPANS": samples.f32([[0, 6]] * 9),
        "TRACK_SPEECH": samples.f32([0] * 9),
        "TRACK_PROBABILITIES": samples.f32([samples.NAN] + [samples.SAD] * 8),
        "TRACK_TIMELINES": samples.f32([[samples.SAD] * 5] * 9),
        "MAIN_TRACK": samples.np.array([6], samples.np.int32),
        "MAIN_TRACK_REASON": samples.strings(["speech"]),
        "FACE_TRACKS": tracks,
        "FACE_TIMES": samples.f32(tracks),
        "FACE_BOXES": samples.f32([[0, 0, 9, 9]] * 9),
        "FACE_SCORES": samples.f32([0.9] * 9),
        "FACE_PROBABILITIES": samples.f32([samples.NAN] + [samples.SAD] * 8),
    }
    text = printed(samples.analysis(**faces))
    assert "person 4" in text
    assert "person 5" not in text
    assert "and 5 more" in text
    assert "The answer is about person 7, who is seen during most of the speech." in text


def test_colours_are_for_terminals():
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system="standard")
    coloured = "".join(report.text([samples.analysis()], console))
    assert "\x1b[" in coloured
    assert "\x1b[" not in printed(samples.analysis())
    assert "█" * 12 in coloured, "the strip of the timeline"


@pytest.mark.parametrize("labels", [ENGLISH, RUSSIAN])
def test_labels_name_the_whole_contract(labels: Labels):
    assert set(labels.emotions) == set(contract.EMOTIONS)
    assert set(labels.channels) == set(contract.CHANNELS)
    assert set(labels.states) == set(contract.STATES)
    assert labels.headings.keys() == ENGLISH.headings.keys()
    assert labels.columns.keys() == ENGLISH.columns.keys()
    assert labels.roles.keys() == ENGLISH.roles.keys()


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00.0"), (62.44, "1:02.4"), (59.97, "1:00.0"), (3599, "59:59.0")])
def test_clock(seconds: float, shown: str):
    assert report.clock(seconds) == shown


def test_a_language_that_is_a_guess_is_marked():
    changes = {
        "TEXT_LANGUAGES": samples.strings(["ru", "en"]),
        "TEXT_LANGUAGE_CONFIDENCES": samples.f32([0.97, 0.3]),
    }
    assert "ru, en?" in printed(samples.analysis(**changes))


@pytest.mark.parametrize(
    ("lang", "told"), [("en", "not all of it is analysed: 0.5 min"), ("ru", "проанализировано не")]
)
def test_a_film_that_lacks_parts_says_so(lang: str, told: str):
    parts = (results.FootagePart(0.0, 30.0), results.FootagePart(30.0, 60.0, "too many pixels"))
    answer = replace(samples.analysis(), footage=results.Footage(False, False, parts))
    assert told in printed(answer, lang)
    whole = replace(answer, footage=results.Footage(True, False, parts[:1]))
    assert told not in printed(whole, lang)
