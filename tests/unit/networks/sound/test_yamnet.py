"""YAMNet as exported: parity with PyTorch layers written from the paper's table, and likeness to the quantised file."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper, numpy_helper

from export.gates.references import Yamnet
from networks.sound import voiced
from networks.sound import yamnet as sound_tagger
from triptych.errors import TriptychError
from triptych.sound import mel


def patches():
    rng = np.random.default_rng(0)
    seconds = np.arange(mel.SOUND_SAMPLES) / 16000
    sounds = {
        "noise": 0.1 * rng.standard_normal(mel.SOUND_SAMPLES),
        "tone": 0.5 * np.sin(2 * np.pi * 1000 * seconds),
        "chirp": 0.5 * np.sin(2 * np.pi * (200 + 1500 * seconds) * seconds),
        "silence": np.zeros(mel.SOUND_SAMPLES),
    }
    return {name: mel.sound_log_mel(pcm.astype(np.float32)) for name, pcm in sounds.items()}


@pytest.fixture(scope="module")
def quantised(weights):
    return sound_tagger.load_quantised(weights("yamnet"))


@pytest.fixture(scope="module")
def given(repository):
    path = repository / "sound_tagger" / "1" / "model.onnx"
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(["TAGS", "SPEECH_TAGS"], {"FEATURES": np.stack(list(patches().values()))})


@pytest.fixture(scope="module")
def tags(given):
    return given[0]


@pytest.fixture(scope="module")
def labels(repository):
    return (repository / "sound_tagger" / "1" / "labels.txt").read_text(encoding="utf-8").splitlines()


def test_parity_with_pytorch(tags, quantised, labels):
    model = Yamnet(quantised, labels).eval()
    log_mel = torch.from_numpy(np.stack(list(patches().values())))
    with torch.inference_mode():
        expected = model(log_mel)[0].numpy()
    np.testing.assert_allclose(tags, expected, atol=1e-4)


def test_likeness_to_the_quantised_file(tags, quantised):
    model = helper.make_model(quantised, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    stored = {weight.name: numpy_helper.to_array(weight) for weight in quantised.initializer}
    dequantise = next(node for node in quantised.node if node.input[0] == quantised.input[0].name)
    scale, zero = (stored[name] for name in dequantise.input[1:])
    clear = [(patch, row) for patch, row in zip(patches().values(), tags, strict=True) if row.max() > 0.9]
    assert len(clear) >= 2
    for patch, exported in clear:
        steps = np.clip(np.round(patch / scale) + zero, 0, 255).astype(np.uint8)
        (scores,) = session.run(None, {"audio": steps[None, None]})
        assert scores[0, exported.argmax()] == scores[0].max(), "scores in steps of 0.76: ties are possible"


def test_sounds_get_their_tags(tags, labels):
    best = dict(zip(patches(), (labels[row.argmax()] for row in tags), strict=True))
    assert best["silence"] == "Silence"
    assert best["tone"] in ("Sine wave", "Beep, bleep")
    assert best["noise"] in ("White noise", "Static", "Waterfall")
    assert best["chirp"] in ("Siren", "Alarm")


def test_speech_and_what_is_taken_for_it_are_summed_up(given, labels):
    tags, speech_tags = given
    speech = [labels.index(name) for name in voiced.SPEECH if name in labels]
    other = [labels.index(name) for name in voiced.OTHER]
    assert (len(speech), len(other)) == (13, 25)
    expected = np.stack([tags[:, speech].max(axis=1), tags[:, other].sum(axis=1)], axis=1)
    np.testing.assert_allclose(speech_tags, expected, atol=1e-6)


def test_a_tagger_without_these_classes_is_refused():
    with pytest.raises(
        TriptychError, match=r"no class of AudioSet that is speech.* its 2 classes begin with Music, Dog"
    ):
        voiced.places(["Music", "Dog"])


def test_labels_are_the_classes_in_order(labels):
    assert len(labels) == 521
    assert labels[0] == "Speech"
    assert labels[1] == "Child speech, kid speaking"
    assert labels[494] == "Silence"


def test_the_graph_keeps_no_quantisation(repository):
    graph = onnx.load(repository / "sound_tagger" / "1" / "model.onnx").graph
    assert not {node.op_type for node in graph.node} & sound_tagger.SIMULATED
