"""What is said at a cut is there once, and whole."""

from __future__ import annotations

from dataclasses import replace

import pytest

from samples import client as samples
from triptych_client.footage.parts import Part
from triptych_client.footage.seams import join, joined_texts
from triptych_client.results import Utterance

CUT_S = 50.0
"""The windows hear 2 s of each other on both sides: the first until 52, the second from 48 on."""

Told = tuple[float, float, str]


def parts(before: list[Told], after: list[Told]) -> list[Part]:
    """Return two parts by what they heard, in times of the film."""
    windows = [(0, 0.0, CUT_S, 0.0, before), (1, CUT_S, 100.0, CUT_S - 2, after)]
    return [
        Part(index, start_s, end_s, origin_s, _analysis([(s - origin_s, e - origin_s, t) for s, e, t in told]))
        for index, start_s, end_s, origin_s, told in windows
    ]


def _analysis(told: list[Told]):
    answer = samples.analysis()
    said = tuple(Utterance(start, end, text, None, 0.9, "en") for start, end, text in told)
    return replace(answer, transcript=replace(answer.transcript, utterances=said))


def heard(before: list[Told], after: list[Told]) -> list[Told]:
    return [(round(u.start_s, 3), round(u.end_s, 3), u.text) for u in join(parts(before, after))]


def test_what_only_one_window_hears_stays():
    before, after = [(40.0, 47.0, "Well then.")], [(60.0, 61.0, "And so on.")]
    assert heard(before, after) == [*before, *after]


def test_what_both_hear_whole_is_there_once():
    assert heard([(48.5, 49.5, "I see.")], [(48.6, 49.5, "I see.")]) == [(48.5, 49.5, "I see.")]
    assert heard([(50.4, 51.4, "I see.")], [(50.4, 51.4, "I see.")]) == [(50.4, 51.4, "I see.")]


def test_the_window_that_heard_it_to_its_end_tells_it():
    whole = (50.5, 56.0, "We never went there again.")
    assert heard([(50.5, 52.0, "We never")], [whole]) == [whole]
    begun = (42.0, 49.5, "We never went there again.")
    assert heard([begun], [(48.0, 49.5, "there again.")]) == [begun]


def test_what_neither_heard_whole_is_joined_at_the_words_they_share():
    left = (44.0, 52.0, "so we went down to the river and saw the")
    right = (48.0, 57.0, "To the river, and saw the boats go by")
    assert heard([left], [right]) == [(44.0, 57.0, "so we went down to the river and saw the boats go by")]


def test_one_utterance_may_be_several_to_the_other_window():
    left = [(49.0, 51.9, "Yes. No, I don't")]
    right = [(49.0, 49.8, "Yes."), (50.2, 53.0, "No, I don't think so.")]
    assert heard(left, right) == right


def test_what_is_said_twice_stays_twice():
    before, after = [(49.0, 49.4, "No!"), (49.6, 49.9, "No!")], [(49.0, 49.4, "No!"), (49.6, 49.9, "No!")]
    assert heard(before, after) == before


def test_across_a_part_that_failed_nothing_is_joined():
    first, second = parts([(49.0, 52.0, "one")], [(49.0, 51.0, "one")])
    assert len(join([first, replace(second, start_s=60.0)])) == 2


@pytest.mark.parametrize(
    ("lefts", "rights", "language", "text"),
    [
        (["a b c"], ["b c d"], "en", "a b c d"),
        (["a b"], ["c d"], "en", "a b c d"),
        (["Ну что,"], ["ну ЧТО же"], "ru", "Ну ЧТО же"),
        (["今日は天気"], ["天気がいい"], "ja", "今日は天気がいい"),
        ([""], ["a"], "en", "a"),
    ],
)
def test_texts_are_joined(lefts: list[str], rights: list[str], language: str, text: str):
    assert joined_texts(lefts, rights, language) == text
