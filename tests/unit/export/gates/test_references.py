"""What graphs written by hand are compared with: there is one for each, and it is the network that is published."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch

from export import catalog
from export.gates.references import REFERENCES
from networks.sound import silero
from triptych.commands.demo_speech import synthesise

BY_HAND = ["sound_tagger", "sound_emotion", "speech_detector"]


@pytest.mark.parametrize("step", BY_HAND)
def test_default_graphs_that_are_written_by_hand_have_one(step: str):
    (entry,) = (entry for entry in catalog.load().values() if entry.step == step and entry.default)
    assert entry.network in REFERENCES


@pytest.mark.parametrize("network", REFERENCES)
def test_each_is_of_a_network_that_there_is(network: str):
    assert callable(catalog.resolve(network))


def test_silero_in_pytorch_hears_what_the_graph_hears(repository: Path, weights):
    network = REFERENCES[f"{silero.__name__}:load"](weights("silero-vad")).eval()
    pcm = synthesise("Good morning. How are you today?", "en", 150)
    pcm = pcm[: len(pcm) // 512 * 512]
    graph = ort.InferenceSession(repository / "speech_detector" / "1" / "model.onnx")
    (heard,) = graph.run(None, {"PCM": pcm})
    with torch.inference_mode():
        np.testing.assert_allclose(network(torch.from_numpy(pcm)), heard, atol=1e-4)
    assert heard.max() > 0.9
