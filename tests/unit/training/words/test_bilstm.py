"""The light words model: vocabulary, padding, attention, training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto

from export import trained_bilstm
from networks.words import adapters, bilstm_vocabulary
from networks.words.adapters import Words
from networks.words.bilstm import PIECES, PREFIX_TOKENS, BilstmAttention, ServedBilstm
from samples import text_corpora
from training.loop import Settings
from training.words import bilstm
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


def test_frequent_pieces_have_rows_and_others_share_the_nearest() -> None:
    vectors = torch.tensor([[5.0, 0], [0, 5], [-5, -5], [4, 1], [1, 6], [-1, -2]])
    vocabulary = bilstm_vocabulary.build(
        [torch.tensor([2, 2, 0]), torch.tensor([2, 0, 1, 4])], vectors, rows=3, width=2
    )
    assert vocabulary.row_of_piece.tolist() == [1, 2, 0, 1, 2, 0]
    assert vocabulary.table.shape == (3, 2)
    assert abs(vocabulary.table.std().item() - 1) < 1e-5


def test_principal_components_keep_distances() -> None:
    vectors = torch.randn(40, 3) @ torch.randn(3, 9)  # of rank 3
    reduced = bilstm_vocabulary.principal_components(vectors, 3)
    ratio = torch.pdist(reduced) / torch.pdist(vectors)
    torch.testing.assert_close(ratio, ratio[:1].expand_as(ratio), rtol=1e-3, atol=0)


def test_batches_hold_each_utterance_once_with_its_targets() -> None:
    lengths = np.random.default_rng(0).integers(5, 40, 1000)
    targets = np.repeat(lengths[:, None], 7, axis=1).astype(np.float32)
    sequences = utterances(*lengths)
    seen = []
    for ids, mask, target in bilstm.batches(sequences, targets, torch.Generator().manual_seed(1)):
        assert ids.shape == mask.shape
        assert ids.shape[0] == len(target) == bilstm.BATCH_SIZE
        np.testing.assert_array_equal(mask.sum(1), target[:, 0])
        seen += ids[:, 0].tolist()
    assert len(seen) == 1000 // bilstm.BATCH_SIZE * bilstm.BATCH_SIZE
    assert np.isin(seen, [sequence[0].item() for sequence in sequences]).all()


def words_of(model: BilstmAttention) -> Words:
    return Words(dict(model.state_dict()), {"goemotions": (0.5,) * 7}, scale=(0.5,) * 7, offset=(0.1, 0, 0, 0, 0, 0, 0))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[ServedBilstm, Path]:
    """Untrained weights of the real size, saved, loaded and exported."""
    folder = tmp_path_factory.mktemp("bilstm")
    torch.manual_seed(1)
    model = BilstmAttention()
    model.row_of_piece.copy_(torch.arange(PIECES) % 16_000)
    adapters.save(words_of(model), folder / adapters.FILE)
    trained_bilstm.export({"bilstm": folder}, folder)
    return ServedBilstm.load(folder / adapters.FILE), folder


@pytest.mark.parametrize(("rows", "length"), [(1, 16), (3, 48), (64, 32), (2, 128), (1, 5)])
def test_the_graph_is_the_model_to_1e_4(exported: tuple[ServedBilstm, Path], rows: int, length: int) -> None:
    model, folder = exported
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    ids = torch.randint(0, PIECES, (rows, length), generator=torch.Generator().manual_seed(2))
    mask = (torch.arange(length) < torch.tensor([length, 9, 3, *range(1, 62)])[:rows, None]).long()
    with torch.inference_mode():
        expected = model(ids, mask)
    served = session.run(
        ["LOGITS", "EMBEDDING", "ATTENTION"], {"INPUT_IDS": ids.numpy(), "ATTENTION_MASK": mask.numpy()}
    )
    for have, want in zip(served, expected, strict=True):
        np.testing.assert_allclose(have, want.numpy(), atol=1e-4)


def test_the_graph_gives_what_the_contract_names_in_less_than_5_mb(exported: tuple[ServedBilstm, Path]) -> None:
    path = exported[1] / "model.onnx"
    step = STEPS["text_emotion"]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [node.name for node in session.get_inputs()] == [tensor.name for tensor in step.inputs]
    assert [node.name for node in session.get_outputs()] == [tensor.name for tensor in (*step.outputs, *step.optional)]
    assert path.stat().st_size < 5e6


def test_served_logits_are_calibrated(exported: tuple[ServedBilstm, Path]) -> None:
    ids, mask = pad(utterances(12, 8))
    words = adapters.load(exported[1] / adapters.FILE)
    plain = BilstmAttention().eval()
    plain.load_state_dict(dict(words.tensors))
    expected = plain(ids, mask).logits * 0.5
    expected[:, 0] += 0.1
    torch.testing.assert_close(exported[0](ids, mask).logits, expected, rtol=0, atol=1e-4)


def test_other_weights_are_refused_by_name(tmp_path: Path) -> None:
    head = {"head.weight": torch.zeros(7, 4), "head.bias": torch.zeros(7)}
    adapters.save(Words(head, {}), tmp_path / adapters.FILE)
    with pytest.raises(TriptychError, match=r"model.safetensors is not weights of the words channel's BiLSTM"):
        ServedBilstm.load(tmp_path / adapters.FILE)


def test_it_trains_on_texts_and_writes_a_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text_corpora.write_all(tmp_path)
    monkeypatch.setattr(bilstm, "BATCH_SIZE", 16)
    vocabulary = bilstm_vocabulary.Vocabulary(torch.zeros(PIECES, dtype=torch.int16), torch.randn(16_000, 96))
    monkeypatch.setattr(bilstm_vocabulary, "build", lambda *arguments: vocabulary)
    settings = Settings(epochs=1, learning_rate=1e-3, warmup_epochs=0.1, precision="fp32")
    bilstm.train_words_bilstm(tmp_path, tmp_path / "out", settings)
    words = adapters.load(tmp_path / "out" / adapters.FILE)
    assert set(words.thresholds) == {"goemotions", "cedr"}
    assert "--model bilstm" in (tmp_path / "out" / "README.md").read_text()
    assert ServedBilstm.load(tmp_path / "out" / adapters.FILE)


def test_the_graph_has_no_weights_of_a_type_that_tensorrt_lacks(exported: tuple[ServedBilstm, Path]) -> None:
    kinds = {tensor.data_type for tensor in onnx.load(exported[1] / "model.onnx").graph.initializer}
    assert TensorProto.UINT8 in kinds
    assert not kinds & {TensorProto.INT16, TensorProto.UINT16}
