"""The regression: exact contributions, missing channels, thresholds, and its files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from scipy.special import softmax

from samples import fusion as samples
from samples.fusion import HAPPY, POOL, SAD, clip, says, trained
from triptych.answer.fusion import fuse, row_contributions
from triptych.answer.parameters import Calibration, Parameters
from triptych.errors import TriptychError
from triptych_client.contract import CHANNELS, EMOTIONS


@samples.relaxed
@given(samples.clips, samples.parameters)
def test_contributions_sum_to_the_logits_and_probabilities_to_one(evidence, parameters):
    fused = fuse(evidence, parameters)
    present = [evidence[name].ok for name in CHANNELS]
    np.testing.assert_allclose(fused.contributions.sum(axis=0), fused.logits, atol=1e-9)
    np.testing.assert_allclose(fused.probabilities, softmax(fused.logits), atol=1e-12)
    np.testing.assert_allclose(fused.probabilities.sum(), 1)
    np.testing.assert_allclose(fused.weights.sum(), any(present), atol=1e-6)
    assert fused.present.tolist() == present
    assert not fused.contributions[~fused.present].any()
    assert np.isnan(fused.alone[~fused.present]).all()


@samples.relaxed
@given(samples.clips, samples.parameters)
def test_the_answer_is_the_regression_written_out(evidence, parameters):
    x = [evidence[name].features().sum(axis=0) for name in CHANNELS]
    there = sum(part.ok for part in evidence.values())
    logits = sum(w @ v for w, v in zip(parameters.weights, x)) / (there if parameters.pooled and there else 1)
    expected = softmax(logits + parameters.bias) if there else np.full(7, 1 / 7)
    np.testing.assert_allclose(fuse(evidence, parameters).probabilities, expected, atol=1e-9)


@samples.relaxed
@given(samples.clips, samples.parameters)
def test_a_channel_alone_is_the_answer_to_it_alone(evidence, parameters):
    fused = fuse(evidence, parameters)
    for row, name in enumerate(CHANNELS):
        if evidence[name].ok:
            alone = fuse(clip(**{name: evidence[name]}), parameters)
            np.testing.assert_allclose(fused.alone[row], alone.probabilities, atol=1e-9)


@samples.relaxed
@given(samples.clips, samples.parameters)
def test_rows_contribute_what_their_channel_does_but_for_its_share_of_the_bias(evidence, parameters):
    fused = fuse(evidence, parameters)
    bias = (parameters.bias - parameters.bias.mean()) / max(fused.present.sum(), 1)
    for rows, total, there in zip(row_contributions(evidence, parameters), fused.contributions, fused.present):
        np.testing.assert_allclose(rows.sum(axis=0) + bias * there, total, atol=1e-9)


def test_no_channel_gives_equal_probabilities_and_abstains():
    fused = fuse(clip(), trained())
    np.testing.assert_allclose(fused.probabilities, 1 / 7)
    assert fused.abstained
    assert not fused.conflict
    assert not fused.weights.any()


def test_without_training_channels_are_averaged():
    fused = fuse(clip(face=says(SAD, 4), voice=says(HAPPY, 2)), POOL)
    np.testing.assert_allclose(fused.probabilities, softmax(np.eye(7)[SAD] * 2 + np.eye(7)[HAPPY]))


def test_a_reliable_channel_can_count_for_more():
    matrix = np.hstack([0.5 * np.eye(7), np.eye(7)])
    parameters = Parameters(np.stack([matrix] * 4), np.zeros(7))
    sure, unsure = (samples.channel([samples.towards(SAD)], reliability=[value]) for value in (1.0, 0.0))
    strength = [fuse(clip(voice=voice), parameters).logits[SAD] for voice in (sure, unsure)]
    assert strength[0] == pytest.approx(3 * strength[1])


def test_an_answer_below_the_threshold_abstains():
    assert fuse(clip(face=says(SAD, 0.5)), POOL).abstained
    assert not fuse(clip(face=says(SAD, 1.5)), POOL).abstained


def test_sure_channels_that_disagree_are_in_conflict():
    assert fuse(clip(face=says(HAPPY), words=says(SAD)), POOL).conflict
    assert not fuse(clip(face=says(HAPPY), words=says(HAPPY)), POOL).conflict


def test_a_channel_that_is_less_sure_of_the_same_is_no_conflict():
    assert not fuse(clip(face=says(HAPPY, 6), sound=says(HAPPY, 0.2), words=says(HAPPY, 5)), POOL).conflict


def test_parameters_are_written_and_read_again(tmp_path: Path):
    trained().write(tmp_path / "fusion.json", {"commit": "abc"})
    again = Parameters.read(tmp_path / "fusion.json")
    np.testing.assert_allclose(again.weights, trained().weights, atol=1e-5)
    np.testing.assert_allclose(again.bias, trained().bias, atol=1e-5)
    assert again.abstain_below == trained().abstain_below
    assert not again.pooled


def test_a_calibration_is_written_and_read_again(tmp_path: Path):
    path = tmp_path / "face.json"
    Calibration(np.full(7, 1.5), np.arange(7.0)).write(path, "fer-cnn", "abc", {"samples": 9})
    assert Calibration.fitted_on(path) == "abc"
    again = Calibration.read(path, "fer-cnn")
    assert again.scale.tolist() == [1.5] * 7
    assert again.apply(np.zeros(7)).tolist() == (np.arange(7) - 3).tolist()
    with pytest.raises(TriptychError, match=r"calibrates fer-cnn, not swinv2.*export"):
        Calibration.read(path, "swinv2")


@pytest.mark.parametrize("kind", [Parameters, Calibration])
def test_a_file_that_is_missing_is_refused_by_name(kind: type[Parameters | Calibration], tmp_path: Path):
    with pytest.raises(TriptychError, match=r"numbers\.json is missing: `triptych export`"):
        kind.read(tmp_path / "numbers.json")


@pytest.mark.parametrize(
    "content", ["", "[]", '{"format": "triptych-fusion/2"}', '{"format": "triptych-fusion/1", "bias": [0]}']
)
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, content: str):
    path = tmp_path / "fusion.json"
    path.write_text(content)
    with pytest.raises(TriptychError, match=r"fusion\.json.*"):
        Parameters.read(path)


def test_emotions_are_those_of_the_parameters():
    assert POOL.weights.shape == (len(CHANNELS), len(EMOTIONS), 2 * len(EMOTIONS))
