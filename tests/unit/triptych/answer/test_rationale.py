"""The sentences: every cause that they name is in the evidence, with the sign that they state."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from samples import fusion as samples
from samples.fusion import HAPPY, POOL, SAD, channel, clip, says, towards
from triptych.answer.fusion import fuse, row_contributions
from triptych.answer.rationale import ENGLISH, MAX_QUOTE, RUSSIAN, Heard, explain, reasons, say, shortened
from triptych_client.contract import CHANNELS, EMOTIONS

LABELS = ("Speech", "Giggle", "Silence")
HEARD = Heard(
    [f"line {i}" for i in range(5)], np.array([[0.9, 0.0, 0.0], [0.8, 0.7, 0.0], [0.9, 0.0, 0.05]] * 2), LABELS
)


def sentences(evidence, parameters=POOL, heard=HEARD):
    fused = fuse(evidence, parameters)
    why = reasons(evidence, fused, heard)
    return [explain(fused, why, phrases) for phrases in (ENGLISH, RUSSIAN)]


@samples.relaxed
@given(samples.clips, samples.parameters)
def test_every_named_cause_is_in_the_evidence_with_the_stated_sign(evidence, parameters):
    fused = fuse(evidence, parameters)
    why = reasons(evidence, fused, HEARD)
    best = int(fused.probabilities.argmax())
    rows = dict(zip(CHANNELS, row_contributions(evidence, parameters)))
    for cause in (*why.causes, *([why.against] if why.against else [])):
        emotion = EMOTIONS.index(cause.emotion)
        spans = evidence[cause.channel].spans
        meant = (spans[:, 0] >= cause.start_s - 1e-6) & (spans[:, 1] <= cause.end_s + 1e-6)
        assert rows[cause.channel][meant, emotion].max() > 0, "a piece of evidence at that time speaks for it"
        assert fused.contributions[CHANNELS.index(cause.channel), emotion] > 0, "and so does the channel"
        if cause.channel == "words":
            assert cause.what in {HEARD.texts[row] for row in evidence["words"].rows[meant]}
        if cause.channel == "sound" and cause.what:
            assert max(HEARD.tags[evidence["sound"].rows[meant], LABELS.index(cause.what)]) >= 0.1
    assert all(cause.emotion == EMOTIONS[best] for cause in why.causes)
    if why.against:
        assert why.against.emotion != EMOTIONS[best]
        assert fused.contributions[CHANNELS.index(why.against.channel), best] < 0


@samples.relaxed
@given(samples.clips, samples.parameters)
def test_the_sentences_say_the_causes_and_no_others(evidence, parameters):
    fused = fuse(evidence, parameters)
    why = reasons(evidence, fused, HEARD)
    named = {cause.channel for cause in (*why.causes, *([why.against] if why.against else []))}
    for phrases, names in (
        (ENGLISH, ("face", "sound at", "voice", "words")),
        (RUSSIAN, ("лицо", "звук", "голос", "слова")),
    ):
        said = explain(fused, why, phrases).lower()
        for channel_name, word in zip(CHANNELS, names):
            assert channel_name in named or word not in said
        for cause in why.causes:
            assert say(cause, phrases).lower() in said


def test_the_words_and_the_giggle():
    words = channel([towards(HAPPY, 1), towards(SAD, 9)], [[0, 2], [3.1, 4.4]])
    sound = channel([towards(SAD, 0.1), towards(HAPPY, 3)], [[0, 1], [6, 7]])
    heard = Heard(["Well.", "He left me."], HEARD.tags, LABELS)
    english, russian = sentences(clip(words=words, sound=sound, voice=says(SAD, 3)), heard=heard)
    assert english.startswith("Sadness (")
    assert "mostly from the words “He left me” at 3.1–4.4 s and the voice at 0.0–1.0 s." in english
    assert english.endswith("Giggle heard at 6.0–7.0 s speaks for happiness.")
    assert "слова «He left me» (3,1–4,4 с) и голос (0,0–1,0 с)." in russian
    assert "за эмоцию «радость»" in russian


def test_a_face_is_named_by_the_two_seconds_that_count_most():
    moments = np.arange(0, 10, 0.5)
    logits = [towards(SAD, 5 if 4 <= moment <= 6 else 0.5) for moment in moments]
    english, _ = sentences(clip(face=channel(logits, np.stack([moments, moments], axis=1))))
    assert "mostly from the face at 4.0–6.0 s." in english


def test_a_single_face_has_one_time():
    english, russian = sentences(clip(face=channel([towards(SAD)], [[0.5, 0.5]])))
    assert "the face at 0.5 s." in english
    assert "лицо (0,5 с)." in russian


def test_nothing_to_go_by():
    assert sentences(clip()) == ["No channel gave evidence.", "Ни один канал не дал данных."]


def test_evidence_that_says_nothing_is_no_cause():
    english, russian = sentences(clip(voice=channel([[0.0] * 7])))
    assert "no piece of evidence stands out" in english
    assert "не выделяется" in russian


@samples.relaxed
@given(st.text(max_size=200))
def test_a_quote_is_one_line_and_short(text):
    assert len(shortened(text)) <= MAX_QUOTE
    assert "\n" not in shortened(text)
