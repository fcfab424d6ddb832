"""Attention weights word by word, from a model repository."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from networks.words import comparison, e5
from networks.words.adapters import Words
from networks.words.bilstm import PIECES, BilstmAttention, ServedBilstm
from triptych.errors import TriptychError
from triptych.words import attention
from triptych_client.contract import STEPS

OUTPUTS = ["LOGITS", "EMBEDDING", "ATTENTION"]


@pytest.fixture(scope="module")
def tokens(weights: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokens") / "tokenizer.json"
    e5.load_tokenizer(weights("multilingual-e5-small")).save(str(path))
    return path


def write_repository(folder: Path, tokens: Path, outputs: list[str]) -> Path:
    """A repository of the tokenizer and a small untrained model."""
    torch.manual_seed(0)
    model = BilstmAttention(rows=500, width=8, hidden=6)
    model.row_of_piece.copy_(torch.arange(PIECES) % 500)
    for step in ("text_tokens", "text_emotion"):
        (folder / step / "1").mkdir(parents=True)
    shutil.copy(tokens, folder / "text_tokens" / "1")
    served = ServedBilstm(model, Words(dict(model.state_dict()), {}))
    comparison.save_graph(served, folder / "text_emotion" / "1" / "model.onnx", outputs)
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, tokens: Path) -> Path:
    return write_repository(tmp_path_factory.mktemp("repository"), tokens, OUTPUTS)


def test_the_optional_output_is_the_attention() -> None:
    assert [tensor.name for tensor in STEPS["text_emotion"].optional] == OUTPUTS[2:]


def test_each_word_has_its_share(small: Path) -> None:
    one, other = attention.attend(["I can't believe it... Ужас!", "Hi."], small)
    assert [word.text for word in one.words] == ["I", "can't", "believe", "it...", "Ужас!"]
    assert [word.text for word in other.words] == ["Hi."]
    for answer in (one, other):
        assert sum(word.weight for word in answer.words) + answer.rest == pytest.approx(1, abs=1e-5)
        assert all(word.weight > 0 for word in answer.words)
        assert answer.probabilities.sum() == pytest.approx(1, abs=1e-5)


def test_the_other_texts_change_nothing(small: Path) -> None:
    together = attention.attend(["Hi there, you.", "a long sentence " * 20], small)[0]
    (alone,) = attention.attend(["Hi there, you."], small)
    assert [word.weight for word in together.words] == pytest.approx([word.weight for word in alone.words], abs=1e-5)


def test_a_blank_text_has_no_words_and_no_text_no_answer(small: Path) -> None:
    assert [(one.words, one.rest) for one in attention.attend([" "], small)] == [((), pytest.approx(1))]
    assert attention.attend([], small) == []


@given(st.lists(st.text(max_size=60), min_size=1, max_size=3))
@settings(max_examples=25, deadline=None)
def test_any_text_is_shared_out(small: Path, texts: list[str]) -> None:
    for answer in attention.attend(texts, small):
        assert sum(word.weight for word in answer.words) + answer.rest == pytest.approx(1, abs=1e-4)


def test_a_model_without_attention_is_named_with_the_remedy(tmp_path: Path, tokens: Path) -> None:
    with pytest.raises(TriptychError, match=r"no words model in .*--set words=bilstm"):
        attention.attend(["Hi."], tmp_path)
    without = write_repository(tmp_path / "without", tokens, [*OUTPUTS[:2], "OTHER"])
    with pytest.raises(TriptychError, match=r"no attention weights: .*--set words=bilstm"):
        attention.attend(["Hi."], without)
