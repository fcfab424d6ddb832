"""The light words model: vocabulary, padding, attention, training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from networks.words import adapters, bilstm_vocabulary
from networks.words.bilstm import PIECES, ServedBilstm
from samples import text_corpora
from training.loop import Settings
from training.words import bilstm


def utterances(*lengths: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(3, PIECES, (length,), generator=generator) for length in lengths]


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


def test_it_trains_on_texts_and_writes_a_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text_corpora.write_all(tmp_path)
    monkeypatch.setattr(bilstm, "BATCH_SIZE", 16)
    vocabulary = bilstm_vocabulary.Vocabulary(torch.zeros(PIECES, dtype=torch.int16), torch.randn(16_000, 96))
    monkeypatch.setattr(bilstm_vocabulary, "build", lambda *arguments: vocabulary)
    settings = Settings(epochs=1, learning_rate=1e-3, warmup_epochs=0.1, precision="fp32")
    bilstm.train_words_bilstm(tmp_path, tmp_path / "out", settings)
    words = adapters.load(tmp_path / "out" / adapters.FILE)
    assert set(words.thresholds) == {"goemotions", "cedr"}
    assert "--model bilstm" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert ServedBilstm.load(tmp_path / "out")
