"""Tags -> emotions: the method on small vectors, and what becomes of sounds that everyone agrees on."""

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from onnx import helper

from export import catalog, fetch
from networks.sound import comparison
from networks.sound.comparison import Method
from networks.sound.descriptions import SOUNDS
from triptych.errors import TriptychError
from triptych.paths import CACHE
from triptych_client.contract import EMOTIONS


@pytest.fixture(scope="module")
def labels(repository):
    return (repository / "sound_tagger" / "1" / "labels.txt").read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="module")
def session(repository):
    path = repository / "sound_emotion" / "1" / "model.onnx"
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def chosen():
    return comparison.load_method(fetch.fetch(catalog.load()["tag-comparison"], CACHE))


def heard(session, labels, **scores):
    tags = np.zeros((1, len(labels)), np.float32)
    for name, score in scores.items():
        tags[0, labels.index(name)] = score
    (logits,) = session.run(["LOGITS"], {"TAGS": tags})
    return logits[0]


METHOD = Method("query: ", removed=1, nearest=2, threshold=1.0, temperature=0.5, limit=3.0, heard=0.4, neutral=1.0)
vectors = np.random.default_rng(0).standard_normal


@given(hnp.arrays(np.float64, (5, 7), elements=st.floats(-9, 9)))
def test_evidence_is_bounded_never_negative_and_never_for_neutral(likenesses):
    logits = comparison.evidence(likenesses, METHOD)
    assert (logits >= 0).all()
    assert (logits <= METHOD.limit).all()
    assert (logits[:, comparison.NEUTRAL] == 0).all()


def test_evidence_is_what_exceeds_chance_and_neutral():
    likenesses = np.array([[0, 0, 0, 2.0, 0, 0, -1.0], [0, 0, 0, 2.0, 0, 0, 0.75], [0.9, 0, 0, 0, 0, 0, 0]])
    np.testing.assert_allclose(comparison.evidence(likenesses, METHOD)[:, 3], [2.0, 0.5, 0])
    assert not comparison.evidence(likenesses, METHOD)[2].any()


def test_likeness_is_relative_to_the_tags():
    found = comparison.likeness(vectors((20, 16)), [vectors((k, 16)) for k in range(2, 9)], removed=2, nearest=2)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(found.std(axis=0), 1, atol=1e-12)


def test_likeness_finds_the_emotion_that_a_tag_describes():
    described = list(vectors((7, 4, 64)))
    tags = np.concatenate([part[1:2] for part in described])
    for removed, nearest in ((0, 1), (0, 2), (2, 1)):
        found = comparison.likeness(tags, described, removed, nearest)
        assert found.argmax(axis=1).tolist() == list(range(7))


def test_what_all_share_makes_no_difference():
    tags, described, cone = vectors((20, 16)), [vectors((3, 16)) for _ in range(7)], 50 * np.ones(16)
    plain = comparison.likeness(tags, described, removed=0, nearest=1)
    shifted = comparison.likeness(tags + cone, [part + cone for part in described], removed=0, nearest=1)
    np.testing.assert_allclose(shifted, plain, atol=1e-9)


def test_the_constants_are_kept_in_their_file(tmp_path):
    (tmp_path / comparison.METHOD_FILE).write_text(METHOD.dump())
    assert comparison.load_method(tmp_path) == METHOD


@pytest.mark.parametrize("content", [None, "", "[]", '{"nearest": 2}', '{"surprise": 1}'])
def test_a_file_without_the_constants_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / comparison.METHOD_FILE).write_text(content)
    with pytest.raises(TriptychError, match=r"method\.json does not hold .*triptych train sound"):
        comparison.load_method(tmp_path)


def test_emotions_are_described_by_as_many_parts():
    assert tuple(SOUNDS) == EMOTIONS
    assert {len(SOUNDS[emotion]) for emotion in EMOTIONS if emotion != "neutral"} == {6}


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
        ("Applause", "happiness"),
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


@pytest.mark.parametrize("name", ["Speech", "Conversation", "Silence", "Music", "Vehicle", "Inside, small room"])
def test_unemotional_sounds_say_nothing(session, labels, name):
    np.testing.assert_allclose(heard(session, labels, **{name: 1.0}), heard(session, labels), atol=1e-6)


def test_nothing_heard_is_neutral_but_not_certain(session, labels, chosen):
    logits = heard(session, labels)
    assert EMOTIONS[logits.argmax()] == "neutral"
    assert logits.max() == pytest.approx(chosen.neutral)


def test_the_graph_adds_up_what_is_heard():
    matrix = np.random.default_rng(2).random((4, 7)).astype(np.float32)
    tags = np.array([[METHOD.heard / 4, 0, 1, 0], [0, 0, 0, 0]], np.float32)
    graph = comparison.build(matrix, METHOD)
    graph = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    (logits,) = onnxruntime.InferenceSession(graph.SerializeToString()).run(["LOGITS"], {"TAGS": tags})
    np.testing.assert_allclose(logits[0] - logits[1], 0.25 * matrix[0] + matrix[2], atol=1e-6)
