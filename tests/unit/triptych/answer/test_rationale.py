"""The rationale: every part is in the evidence, with the sign that its kind states."""

from __future__ import annotations

import numpy as np
from hypothesis import given

from samples import fusion as samples
from samples.fusion import HAPPY, POOL, SAD, channel, clip, says, towards
from triptych.answer import rationale
from triptych.answer.fusion import fuse, row_contributions
from triptych.answer.rationale import Part, Quotable
from triptych_client.contract import CHANNELS, EMOTIONS, RATIONALE_FIELDS, RATIONALE_KINDS

LABELS = ("Speech", "Giggle", "Silence")
QUOTABLE = Quotable(
    [f"line {i}" for i in range(5)], np.array([[0.9, 0.0, 0.0], [0.8, 0.7, 0.0], [0.9, 0.0, 0.05]] * 2), LABELS
)


def parts(evidence, parameters=POOL, quotable=QUOTABLE) -> tuple[Part, ...]:
    return rationale.parts(evidence, fuse(evidence, parameters), quotable)


@samples.relaxed
@given(samples.clips, samples.parameters)
def test_every_part_is_in_the_evidence_with_the_stated_sign(evidence, parameters):
    fused = fuse(evidence, parameters)
    best = int(fused.probabilities.argmax())
    rows = dict(zip(CHANNELS, row_contributions(evidence, parameters)))
    found = parts(evidence, parameters)
    for part in found:
        emotion = EMOTIONS.index(part.emotion)
        spans = evidence[part.channel].spans
        meant = (spans[:, 0] >= part.start_s - 1e-6) & (spans[:, 1] <= part.end_s + 1e-6)
        assert rows[part.channel][meant, emotion].max() > 0, "a piece of evidence at that time speaks for it"
        assert fused.contributions[CHANNELS.index(part.channel), emotion] > 0, "and so does the channel"
        assert (part.kind == "cause") == (emotion == best)
        if part.kind == "against":
            assert fused.contributions[CHANNELS.index(part.channel), best] < 0
        if part.channel == "words":
            assert part.what in {QUOTABLE.texts[row] for row in evidence["words"].rows[meant]}
        if part.channel == "sound" and part.what:
            assert max(QUOTABLE.tags[evidence["sound"].rows[meant], LABELS.index(part.what)]) >= 0.1
    kinds = [part.kind for part in found]
    assert kinds == sorted(kinds, key=RATIONALE_KINDS.index), "causes come first"
    assert kinds.count("against") <= 1


def test_the_words_and_the_giggle():
    words = channel([towards(HAPPY, 1), towards(SAD, 9)], [[0, 2], [3.1, 4.4]])
    sound = channel([towards(SAD, 0.1), towards(HAPPY, 3)], [[0, 1], [6, 7]])
    quotable = Quotable(["Well.", " He left me. "], QUOTABLE.tags, LABELS)
    said, voice, giggle = parts(clip(words=words, sound=sound, voice=says(SAD, 3)), quotable=quotable)
    assert (said.kind, said.channel, said.emotion, said.what) == ("cause", "words", "sadness", "He left me.")
    np.testing.assert_allclose((said.start_s, said.end_s), (3.1, 4.4), rtol=1e-6)
    assert voice == Part("cause", "voice", "sadness", 0.0, 1.0)
    assert giggle == Part("against", "sound", "happiness", 6.0, 7.0, "Giggle")


def test_a_face_is_named_by_the_two_seconds_that_count_most():
    moments = np.arange(0, 10, 0.5)
    logits = [towards(SAD, 5 if 4 <= moment <= 6 else 0.5) for moment in moments]
    face = channel(logits, np.stack([moments, moments], axis=1))
    assert parts(clip(face=face)) == (Part("cause", "face", "sadness", 4.0, 6.0),)


def test_a_single_face_has_one_time():
    (part,) = parts(clip(face=channel([towards(SAD)], [[0.5, 0.5]])))
    assert (part.start_s, part.end_s) == (0.5, 0.5)


def test_nothing_to_go_by_has_no_parts():
    assert parts(clip()) == ()
    assert parts(clip(voice=channel([[0.0] * 7]))) == ()


def test_parts_become_tensors():
    texts, spans = rationale.tensors([Part("against", "sound", "happiness", 6.0, 7.0, "Giggle")])
    assert dict(zip(RATIONALE_FIELDS, texts[0])) == {
        "kind": "against",
        "channel": "sound",
        "emotion": "happiness",
        "what": "Giggle",
    }
    assert spans.tolist() == [[6.0, 7.0]]
    texts, spans = rationale.tensors([])
    assert (texts.shape, spans.shape) == ((0, 4), (0, 2))
