"""Tags -> emotions: the method on small vectors, and what becomes of sounds that everyone agrees on."""

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from onnx import helper

from export import descriptions, sound_emotion
from triptych_client.contract import EMOTIONS


@pytest.fixture(scope="module")
def labels(repository):
    return (repository / "sound_tagger" / "1" / "labels.txt").read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="module")
def session(repository):
    path = repository / "sound_emotion" / "1" / "model.onnx"
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def heard(session, labels, **scores):
    tags = np.zeros((1, len(labels)), np.float32)
    for name, score in scores.items():
        tags[0, labels.index(name)] = score
    (logits,) = session.run(["LOGITS"], {"TAGS": tags})
    return logits[0]


@given(hnp.arrays(np.float64, (5, 7), elements=st.floats(-1, 1)))
def test_evidence_is_never_negative_and_never_for_neutral(likenesses):
    logits = sound_emotion.evidence(likenesses)
    assert (logits >= 0).all()
    assert (logits[:, sound_emotion.NEUTRAL] == 0).all()


def test_likeness_is_centred_both_ways():
    rng = np.random.default_rng(0)
    tags, described = rng.standard_normal((20, 16)), rng.standard_normal((7, 4, 16))
    found = sound_emotion.likeness(tags, described)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(found.mean(axis=1), 0, atol=1e-12)


def test_likeness_finds_the_emotion_that_a_tag_describes():
    described = np.random.default_rng(1).standard_normal((7, 4, 64))
    described /= np.linalg.norm(described, axis=-1, keepdims=True)
    assert sound_emotion.likeness(described[:, 1], described).argmax(axis=1).tolist() == list(range(7))


@pytest.mark.parametrize(
    ("name", "emotion"),
    [
        ("Laughter", "happiness"),
        ("Baby laughter", "happiness"),
        ("Cheering", "happiness"),
        ("Crying, sobbing", "sadness"),
        ("Wail, moan", "sadness"),
        ("Screaming", "fear"),
        ("Shout", "anger"),
        ("Gasp", "surprise"),
        ("Burping, eructation", "disgust"),
    ],
)
def test_emotional_sounds(session, labels, name, emotion):
    logits = heard(session, labels, **{name: 0.9})
    others = np.delete(logits, [EMOTIONS.index(emotion), EMOTIONS.index("neutral")])
    assert logits[EMOTIONS.index(emotion)] > others.max() + 0.3


@pytest.mark.parametrize(
    ("name", "emotion"), [("Laughter", "happiness"), ("Crying, sobbing", "sadness"), ("Screaming", "fear")]
)
def test_clear_ones_win_over_neutral_and_speech(session, labels, name, emotion):
    logits = heard(session, labels, **{name: 0.9, "Speech": 0.9})
    assert EMOTIONS[logits.argmax()] == emotion


@pytest.mark.parametrize("name", ["Speech", "Conversation", "Silence", "Vehicle", "Inside, small room"])
def test_unemotional_sounds_say_nothing(session, labels, name):
    np.testing.assert_allclose(heard(session, labels, **{name: 1.0}), heard(session, labels), atol=1e-6)


def test_nothing_heard_is_neutral_but_not_certain(session, labels):
    logits = heard(session, labels)
    assert EMOTIONS[logits.argmax()] == "neutral"
    assert logits.max() == pytest.approx(descriptions.SOUND_NEUTRAL_LOGIT)


def test_the_graph_adds_up_what_is_heard():
    matrix = np.random.default_rng(2).random((4, 7)).astype(np.float32)
    tags = np.array([[descriptions.SOUND_HEARD / 4, 0, 1, 0], [0, 0, 0, 0]], np.float32)
    graph = helper.make_model(sound_emotion.build(matrix), opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    (logits,) = onnxruntime.InferenceSession(graph.SerializeToString()).run(["LOGITS"], {"TAGS": tags})
    np.testing.assert_allclose(logits[0] - logits[1], 0.25 * matrix[0] + matrix[2], atol=1e-6)
