"""The sentences of the rationale, in both languages: they say the parts that the server names, and no others."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples import client as samples
from triptych_client.contract import CHANNELS, EMOTIONS, RATIONALE_KINDS
from triptych_client.languages import LANGUAGES, labels_of
from triptych_client.rationale import MAX_QUOTE, explain, named, shortened
from triptych_client.results import Emotion, RationalePart

SAD = samples.analysis().emotion
NAMES = {"en": ("face", "sound at", "voice", "words"), "ru": ("лицо", "звук", "голос", "слова")}

some_parts = st.lists(
    st.builds(
        RationalePart,
        kind=st.sampled_from(RATIONALE_KINDS),
        channel=st.sampled_from(CHANNELS),
        emotion=st.sampled_from(EMOTIONS),
        start_s=st.floats(0, 60),
        end_s=st.floats(0, 60),
        what=st.just(""),
    ),
    max_size=4,
)


def said(*parts: RationalePart, emotion: Emotion = SAD) -> list[str]:
    return [explain(emotion, parts, labels) for labels in LANGUAGES.values()]


@pytest.mark.parametrize("lang", LANGUAGES)
@given(some_parts)
def test_the_sentences_say_the_parts_and_no_others(lang: str, parts: list[RationalePart]):
    labels = labels_of(lang)
    sentences = explain(SAD, parts, labels).lower()
    for channel, word in zip(CHANNELS, NAMES[lang]):
        assert (word in sentences) == (channel in {part.channel for part in parts})
    for part in parts:
        assert named(part, labels).lower() in sentences
    assert "{" not in sentences


def test_the_words_and_the_giggle():
    english, russian = said(
        RationalePart("cause", "words", "sadness", 3.1, 4.4, "He left me."),
        RationalePart("cause", "voice", "sadness", 0.0, 1.0, ""),
        RationalePart("against", "sound", "happiness", 6.0, 7.0, "Giggle"),
    )
    assert english == (
        "Sadness (34 %), mostly from the words “He left me” at 3.1–4.4 s and the voice at 0.0–1.0 s. "
        "Giggle heard at 6.0–7.0 s speaks for happiness."
    )
    assert russian == (
        "Грусть (34 %), главным образом: слова «He left me» (3,1–4,4 с) и голос (0,0–1,0 с). "
        "Звук «хихиканье» (6,0–7,0 с) — за эмоцию «радость»."
    )


def test_several_words_speak():
    english, _ = said(RationalePart("against", "words", "happiness", 0, 1, "Ha, {ha}"))
    assert english.endswith("The words “Ha, {ha}” at 0.0–1.0 s speak for happiness.")


def test_a_moment_has_one_time():
    english, russian = said(RationalePart("cause", "face", "sadness", 0.5, 0.5, ""))
    assert "the face at 0.5 s." in english
    assert "лицо (0,5 с)." in russian


def test_an_answer_that_abstains_names_no_clear_emotion():
    unsure = replace(SAD, abstained=True)
    english, russian = said(RationalePart("cause", "face", "sadness", 0.5, 0.5, ""), emotion=unsure)
    assert english.startswith("No clear emotion: sadness is first with 34 %")
    assert russian.startswith("Явной эмоции нет: впереди грусть (34 %)")


def test_evidence_that_says_nothing_is_no_cause():
    english, russian = said()
    assert english == "Sadness (34 %); no piece of evidence stands out."
    assert russian == "Грусть (34 %); ни одно из данных не выделяется."


def test_nothing_to_go_by():
    answer = samples.nothing()
    assert answer.rationale == "No channel gave evidence."
    assert answer.in_language("ru").rationale == "Ни один канал не дал данных."


@given(st.text(max_size=200))
def test_a_quote_is_one_line_and_short(text: str):
    assert len(shortened(text)) <= MAX_QUOTE
    assert "\n" not in shortened(text)
