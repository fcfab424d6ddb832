"""The gate of Whisper: what was exported of a model passes, and what was exported of another does not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from export.gates import inputs, whisper
from export.gates.inputs import Feeds
from export.gates.measure import Gate
from networks.whisper import published
from triptych.commands.demo_speech import synthesise


@pytest.fixture(scope="module")
def comparison(repository: Path, weights) -> whisper.Comparison:
    return whisper.Comparison("base", repository / "whisper" / "1", published.read(weights("whisper-base")))


@pytest.fixture(scope="module")
def feeds(repository: Path) -> Feeds:
    return inputs.of_sound(synthesise("Good morning. How are you today?", "en", 150), repository)["whisper"]


def measured(comparison: whisper.Comparison, feeds: Feeds) -> tuple[Gate, Gate, Gate]:
    encoder, decoder, tokens = comparison.gates("a greeting", feeds)
    return encoder, decoder, tokens


def test_what_was_exported_of_a_model_passes(comparison: whisper.Comparison, feeds: Feeds):
    encoder, decoder, tokens = measured(comparison, feeds)
    assert [gate.file for gate in (encoder, decoder)] == ["encoder.onnx", "decoder.onnx"]
    assert 0 < encoder.figure < encoder.limit
    assert 0 < decoder.figure < decoder.limit
    assert (tokens.what, tokens.figure, tokens.limit) == ("windows of 1 with another token", 0, 0)


def test_what_was_exported_of_other_weights_does_not_pass(
    comparison: whisper.Comparison, feeds: Feeds, monkeypatch: pytest.MonkeyPatch
):
    """The last test with this model, since it changes it; so changed it would name any language, and come to no end."""
    monkeypatch.setattr(comparison, "language", lambda encoded: "en")
    comparison.model.generation_config.max_length = 24
    with torch.no_grad():
        comparison.model.model.encoder.layer_norm.bias += 0.1
        comparison.model.model.decoder.layer_norm.weight *= -1
    assert not any(gate.passed for gate in measured(comparison, feeds))
