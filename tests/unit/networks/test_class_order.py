"""A checkpoint's classes as our emotions: by name, joined as probabilities, held against plain sums in float64."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, softmax
from transformers import BertConfig

from networks.class_order import FLOOR, ToEmotions, to_emotions
from networks.emotion_names import NAMES, emotion_of
from samples.label_sets import CEDR, EKMAN, GOEMOTIONS, SETS
from triptych.errors import TriptychError
from triptych_client.contract import EMOTIONS


def random_logits(labels: Mapping[str, str], rows: int = 50) -> np.ndarray:
    return np.random.default_rng(0).normal(-3, 4, (rows, len(labels))).astype(np.float32)


def joined(labels: Mapping[str, str], logits: np.ndarray, independent: bool) -> np.ndarray:
    with torch.inference_mode():
        return ToEmotions(list(labels), independent)(torch.from_numpy(logits)).numpy().astype(np.float64)


def members(labels: Mapping[str, str], emotion: str) -> list[int]:
    return [place for place, other in enumerate(labels.values()) if other == emotion]


@pytest.mark.parametrize("labels", SETS.values(), ids=SETS.keys())
def test_probabilities_of_a_softmax_add_up(labels: dict[str, str]):
    logits = random_logits(labels)
    found = softmax(joined(labels, logits, independent=False), axis=1)
    classes = softmax(logits.astype(np.float64), axis=1)
    missing = set(EMOTIONS) - set(labels.values())
    share = 1 - len(missing) * FLOOR / (1 + (len(missing) - 1) * FLOOR)
    for place, emotion in enumerate(EMOTIONS):
        expected = classes[:, members(labels, emotion)].sum(1) * share
        if emotion in missing:
            assert found[:, place] == pytest.approx(FLOOR / (1 + (len(missing) - 1) * FLOOR), rel=1e-5)
        else:
            np.testing.assert_allclose(found[:, place], expected, rtol=1e-4)


@pytest.mark.parametrize("labels", SETS.values(), ids=SETS.keys())
def test_at_least_one_of_several_classes_that_are_each_for_itself(labels: dict[str, str]):
    logits = random_logits(labels)
    found = joined(labels, logits, independent=True)
    for place, emotion in enumerate(EMOTIONS):
        none_applies = np.prod(expit(-logits[:, members(labels, emotion)].astype(np.float64)), axis=1)
        if emotion in labels.values():
            np.testing.assert_allclose(expit(found[:, place]), 1 - none_applies, rtol=1e-4)
        else:
            assert expit(found[:, place]) == pytest.approx(FLOOR, rel=1e-5)


@given(st.permutations(list(GOEMOTIONS)), st.booleans())
def test_the_place_of_a_class_does_not_matter(order: list[str], independent: bool):
    logits = random_logits(GOEMOTIONS, rows=4)
    moved = logits[:, [list(GOEMOTIONS).index(label) for label in order]]
    shuffled = {label: GOEMOTIONS[label] for label in order}
    expected = joined(GOEMOTIONS, logits, independent)
    np.testing.assert_allclose(joined(shuffled, moved, independent), expected, atol=1e-4)


@pytest.mark.parametrize("independent", [False, True])
def test_a_class_for_each_emotion_leaves_the_logits_as_they_are(independent: bool):
    logits = random_logits(EKMAN)
    order = [list(EKMAN.values()).index(emotion) for emotion in EMOTIONS]
    np.testing.assert_array_equal(joined(EKMAN, logits, independent), logits[:, order])


@pytest.mark.parametrize("independent", [False, True])
@pytest.mark.parametrize("size", [60.0, 200.0])
def test_sure_models_give_numbers(independent: bool, size: float):
    rows = np.stack([np.full(28, size), np.full(28, -size), np.linspace(-size, size, 28)]).astype(np.float32)
    found = joined(GOEMOTIONS, rows, independent)
    assert np.isfinite(found).all()
    assert np.abs(found).max() < 12 * size + 10


def test_contempt_is_left_out():
    labels = [*EKMAN, "Contempt"]
    logits = np.append(random_logits(EKMAN), np.full((50, 1), 9, np.float32), axis=1)
    found = ToEmotions(labels)(torch.from_numpy(logits)).numpy()
    np.testing.assert_array_equal(found, joined(EKMAN, logits[:, :7], independent=False).astype(np.float32))


def test_case_and_blanks_do_not_matter():
    assert [emotion_of(label) for label in ("Happy", "NEUTRAL", "No Emotion", "no-emotion", " Fear ")] == [
        "happiness", "neutral", "neutral", "neutral", "fear",
    ]  # fmt: skip


def test_no_name_is_of_two_emotions_and_every_emotion_has_its_own():
    names = [name for emotion in EMOTIONS for name in NAMES[emotion]]
    assert len(names) == len(set(names))
    assert [emotion_of(emotion) for emotion in EMOTIONS] == list(EMOTIONS)


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (["joy", "boredom", "fear"], r"class boredom is none that is known\. Known are anger.*id2label"),
        (["LABEL_0", "LABEL_1"], "class LABEL_0, LABEL_1 is none that is known"),
        (["joy", "love", "contempt"], r"\(joy, love, contempt\) are of one emotion; it takes two"),
    ],
)
def test_a_label_set_that_says_nothing_of_emotions_is_refused(labels: list[str], reason: str):
    with pytest.raises(TriptychError, match=reason):
        ToEmotions(labels)


@pytest.mark.parametrize("options", [{"num_labels": 1}, {"num_labels": 3, "problem_type": "regression"}])
def test_a_checkpoint_that_gives_numbers_is_refused(options: dict[str, object]):
    with pytest.raises(TriptychError, match=r"does not tell classes apart: config\.json has [13] classes"):
        to_emotions(BertConfig(**options))


def test_what_is_missing_is_said(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        ToEmotions(list(CEDR))
    assert "no class for disgust: its probability is always 0.01" in caplog.text


@pytest.mark.parametrize(
    ("problem_type", "independent"),
    [("multi_label_classification", True), ("single_label_classification", False), (None, False)],
)
def test_whether_classes_are_each_for_itself_is_said_by_the_problem_type(problem_type: str | None, independent: bool):
    config = BertConfig(id2label=dict(enumerate(CEDR)), problem_type=problem_type)
    assert to_emotions(config).independent is independent
