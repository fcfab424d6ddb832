"""Where a model is trained. Without a GPU, "meta" tensors show what would stay behind: they mix with no CPU tensor."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel, Wav2Vec2ForSequenceClassification

from networks.face.cnn_time import CnnTime
from networks.face.swin import FaceSwin
from networks.face.teacher import FaceCnn
from networks.voice.spectrogram_cnn import VoiceCnn
from networks.words.bilstm import BilstmAttention
from samples.tiny_audio import wav2vec2_config
from samples.toy import SETTINGS, toy_model, toy_task
from training import device, loop
from training.face import cnn_time, swin
from training.voice import wav2vec2
from training.words.model import Lower, Upper
from triptych.errors import TriptychError

META, CPU = torch.device("meta"), torch.device("cpu")


def test_a_batch_is_moved_with_all_its_parts() -> None:
    one, (two, three) = device.move((torch.zeros(3), (torch.ones(2), torch.ones(1))), META)
    assert [part.device for part in (one, two, three)] == [META] * 3
    assert device.move(torch.zeros(3), META).device == META


def test_auto_takes_the_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for available, kind in ((False, "cpu"), (True, "cuda")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda available=available: available)
        assert device.resolve("auto").type == kind
        assert device.resolve("cpu").type == "cpu"
    assert device.resolve("cuda").type == "cuda"


def test_a_device_that_is_not_there_is_refused_in_words(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(TriptychError, match=r"PyTorch .* sees no GPU here: use --device cpu"):
        loop.fit(toy_model(), toy_task(), SETTINGS.on("cuda"), tmp_path)
    with pytest.raises(TriptychError, match="there is no device tpu: --device takes one of auto, cpu, cuda"):
        loop.fit(toy_model(), toy_task(), SETTINGS.on("tpu"), tmp_path)


def test_a_schedule_is_for_one_device() -> None:
    face, timed = swin.SCHEDULE.on("cpu"), cnn_time.SCHEDULE.on("cpu")
    phases = (face.votes, face.labels, face.student, face.finish, timed.votes, timed.labels, timed.layers)
    assert {phase.device for phase in phases} == {"cpu"}
    assert face.finish.learning_rate == swin.FINISH.learning_rate
    assert timed.sequences == cnn_time.SEQUENCES


@pytest.mark.parametrize(("precision", "expected"), [("bf16", True), ("fp32", False)])
def test_precision_can_be_forced(precision: str, expected: bool) -> None:
    assert loop.use_bf16(precision, CPU) is expected


@pytest.mark.parametrize(("features", "expected"), [({"avx2": True}, False), ({"avx512_bf16": True}, True)])
def test_bf16_is_taken_where_the_processor_multiplies_it(features, expected, monkeypatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: features)
    assert loop.use_bf16("auto", CPU) is expected


@pytest.mark.parametrize(("cores", "words"), [(1, "one CPU core"), (2, "two CPU cores"), (16, "16 CPU cores")])
def test_a_card_names_the_processor(cores: int, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device.os, "cpu_count", lambda: cores)
    assert device.describe(CPU) == words


def bert() -> BertModel:
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    return BertModel(BertConfig(vocab_size=20, **sizes), add_pooling_layer=False)


def related() -> nn.Module:
    """The part of the CNN with time that is trained."""
    model = CnnTime()
    model.forward = model.relate  # type: ignore[method-assign]
    return model


IDS = torch.ones(2, 9, dtype=torch.int64)
NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[Tensor, ...]]] = {
    "face teacher": (FaceCnn, (torch.zeros(2, 1, 48, 48),)),
    "face swin": (FaceSwin, (torch.zeros(2, 1, 48, 48),)),
    "face with time": (related, (torch.zeros(5, 192), torch.zeros(5, 2, dtype=torch.int64))),
    "voice": (VoiceCnn, (torch.zeros(2, 64, 300),)),
    "wav2vec 2.0": (
        lambda: wav2vec2.Logits(Wav2Vec2ForSequenceClassification(wav2vec2_config())),
        (torch.zeros(2, 48_000),),
    ),
    "words, frozen": (lambda: Lower(bert()), (IDS, IDS)),
    "words, trained": (lambda: Upper(bert()), (torch.zeros(2, 9, 16), IDS)),
    "words BiLSTM": (BilstmAttention, (IDS, IDS)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_computes_where_its_weights_are(name: str) -> None:
    make, inputs = NETWORKS[name]
    output = device.predict(make().train().to(META), *inputs)
    tensors = [output] if isinstance(output, Tensor) else [part for part in output if isinstance(part, Tensor)]
    assert tensors
    assert {tensor.device for tensor in tensors} == {META}
