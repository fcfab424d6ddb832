"""The words channel's BiLSTM: padding, directions, attention, and its graph against it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto

from export.onnx import to_onnx
from networks.words import adapters
from networks.words.adapters import Words
from networks.words.bilstm import PIECES, PREFIX_TOKENS, BilstmAttention, ServedBilstm
from training.words.batches import pad
from triptych.errors import TriptychError
from triptych_client.contract import STEPS


@pytest.fixture(scope="module")
def model() -> BilstmAttention:
    torch.manual_seed(0)
    model = BilstmAttention(rows=50, width=8, hidden=6).eval()
    model.row_of_piece.copy_(torch.arange(PIECES) % 50)
    return model


def utterances(*lengths: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(3, PIECES, (length,), generator=generator) for length in lengths]


def test_an_utterance_alone_and_in_a_padded_batch_is_read_alike(model: BilstmAttention) -> None:
    sequences = utterances(5, 16, 9, 30)
    ids, mask = pad(sequences)
    wide = (torch.nn.functional.pad(tensor, (0, 18)) for tensor in (ids, mask))
    for together in (model(ids, mask), model(*wide)):
        for row, sequence in enumerate(sequences):
            alone = model(*pad([sequence]))
            torch.testing.assert_close(together.logits[row], alone.logits[0], rtol=0, atol=1e-5)
            torch.testing.assert_close(together.embedding[row], alone.embedding[0], rtol=0, atol=1e-5)
            torch.testing.assert_close(together.attention[row, : len(sequence)], alone.attention[0], rtol=0, atol=1e-5)


def test_the_backward_direction_begins_at_the_last_token(model: BilstmAttention) -> None:
    (sequence,) = utterances(12)
    plain = torch.nn.LSTM(8, 6, batch_first=True)
    plain.load_state_dict(model.backwards.state_dict())
    ids, mask = pad([sequence, sequence[:7]])
    states = model.read(model.embed(ids), mask)
    expected = plain(model.embed(ids[:1, :7]).flip(1))[0].flip(1)
    torch.testing.assert_close(states[1, :7, 6:], plain(model.embed(ids[1:, :7]).flip(1))[0].flip(1)[0])
    torch.testing.assert_close(states[1, :7, 6:], expected[0])


def test_attention_is_shared_among_the_words(model: BilstmAttention) -> None:
    ids, mask = pad(utterances(PREFIX_TOKENS + 1, 9, 20))
    attention = model(ids, mask).attention
    torch.testing.assert_close(attention.sum(1), torch.ones(3))
    assert (attention[:, :PREFIX_TOKENS] == 0).all()
    assert (attention[mask == 0] == 0).all()
    assert attention[0, PREFIX_TOKENS] == 1


@pytest.mark.parametrize("tokens", [0, 1, PREFIX_TOKENS])
def test_less_than_a_prefix_is_answered_with_numbers(model: BilstmAttention, tokens: int) -> None:
    mask = torch.zeros(1, 16, dtype=torch.int64)
    mask[:, :tokens] = 1
    reading = model(torch.ones_like(mask), mask)
    assert torch.isfinite(reading.logits).all()
    torch.testing.assert_close(reading.attention.sum(1), torch.ones(1))


def words_of(model: BilstmAttention) -> Words:
    return Words(dict(model.state_dict()), {"goemotions": (0.5,) * 7}, scale=(0.5,) * 7, offset=(0.1, 0, 0, 0, 0, 0, 0))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained weights of the real size, saved."""
    folder = tmp_path_factory.mktemp("bilstm")
    torch.manual_seed(1)
    model = BilstmAttention()
    model.row_of_piece.copy_(torch.arange(PIECES) % 16_000)
    adapters.save(words_of(model), folder / adapters.FILE)
    return folder


@pytest.fixture(scope="module")
def served(folder: Path) -> ServedBilstm:
    return ServedBilstm.load(folder).eval()


@pytest.fixture(scope="module")
def graphs(folder: Path) -> list[onnx.ModelProto]:
    """The same network exported twice in one process."""
    return [to_onnx(ServedBilstm.load(folder), STEPS["text_emotion"]) for _ in range(2)]


@pytest.mark.parametrize("export", [0, 1], ids=["first", "second"])
@pytest.mark.parametrize(("rows", "length"), [(1, 16), (3, 48), (64, 32), (2, 128), (1, 5)])
def test_the_graph_is_the_model_to_1e_4(
    served: ServedBilstm, graphs: list[onnx.ModelProto], export: int, rows: int, length: int
) -> None:
    session = onnxruntime.InferenceSession(graphs[export].SerializeToString(), providers=["CPUExecutionProvider"])
    ids = torch.randint(0, PIECES, (rows, length), generator=torch.Generator().manual_seed(2))
    mask = (torch.arange(length) < torch.tensor([length, 9, 3, *range(1, 62)])[:rows, None]).long()
    with torch.inference_mode():
        expected = served(ids, mask)
    answers = session.run(["LOGITS", "EMBEDDING"], {"INPUT_IDS": ids.numpy(), "ATTENTION_MASK": mask.numpy()})
    for have, want in zip(answers, expected, strict=True):
        np.testing.assert_allclose(have, want.numpy(), atol=1e-4)


def test_exporting_twice_in_one_process_gives_the_same_bytes(graphs: list[onnx.ModelProto]) -> None:
    assert graphs[0].SerializeToString() == graphs[1].SerializeToString()


def test_the_graph_gives_what_the_contract_names_in_less_than_5_mb(graphs: list[onnx.ModelProto]) -> None:
    step = STEPS["text_emotion"]
    assert [value.name for value in graphs[0].graph.input] == [tensor.name for tensor in step.inputs]
    assert [value.name for value in graphs[0].graph.output] == [tensor.name for tensor in step.outputs]
    assert graphs[0].ByteSize() < 5e6


def test_served_logits_are_calibrated(folder: Path, served: ServedBilstm) -> None:
    ids, mask = pad(utterances(12, 8))
    words = adapters.load(folder / adapters.FILE)
    plain = BilstmAttention().eval()
    plain.load_state_dict(dict(words.tensors))
    expected = plain(ids, mask).logits * 0.5
    expected[:, 0] += 0.1
    torch.testing.assert_close(served(ids, mask)[0], expected, rtol=0, atol=1e-4)


def test_other_weights_are_refused_by_name(tmp_path: Path) -> None:
    head = {"head.weight": torch.zeros(7, 4), "head.bias": torch.zeros(7)}
    adapters.save(Words(head, {}), tmp_path / adapters.FILE)
    with pytest.raises(TriptychError, match=r"model.safetensors is not weights of the words channel's BiLSTM"):
        ServedBilstm.load(tmp_path)


def test_the_graph_has_no_weights_of_a_type_that_tensorrt_lacks(graphs: list[onnx.ModelProto]) -> None:
    kinds = {tensor.data_type for tensor in graphs[0].graph.initializer}
    assert TensorProto.UINT8 in kinds
    assert not kinds & {TensorProto.INT16, TensorProto.UINT16}
