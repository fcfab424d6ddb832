"""The English words model: a BERT cut out of multilingual-e5-small, its tokenizer and its export."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import XLMRobertaConfig, XLMRobertaModel

from networks.words import adapters as words_weights
from networks.words import bert, e5
from networks.words.adapters import Words
from samples.graphs import session_of
from training.words import bert as words_bert
from training.words.model import Upper, trained_tensors
from triptych.errors import TriptychError
from triptych.words import text

TEXTS = ("I can't believe it... what a day!", "So sorry for your loss :(", "LOL 😂 that's café culture")


@pytest.fixture(scope="module")
def source(weights: Callable[[str], Path]) -> Path:
    return weights("multilingual-e5-small")


@pytest.fixture(scope="module")
def whole(source: Path) -> Tokenizer:
    return e5.load_tokenizer(source)


@pytest.fixture(scope="module")
def pieces(whole: Tokenizer) -> torch.Tensor:
    return bert.english_pieces(whole, [text.PREFIX + line for line in TEXTS])


@pytest.fixture(scope="module")
def tokenizer(source: Path, pieces: torch.Tensor) -> Tokenizer:
    return e5.load_tokenizer(source, pieces.tolist())


def test_the_lower_layers_of_an_encoder_are_a_bert() -> None:
    torch.manual_seed(0)
    config = XLMRobertaConfig(
        vocab_size=90,
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=34,
        type_vocab_size=2,
        layer_norm_eps=1e-12,
        pad_token_id=1,
    )
    encoder = XLMRobertaModel(config, add_pooling_layer=False).eval()
    pieces = torch.tensor([0, 1, 2, 3, 40, 41, 77, 89])
    light = bert.prune(encoder, pieces, layers=2)
    encoder.encoder.layer = encoder.encoder.layer[:2]
    ids, mask = torch.tensor([[0, 4, 7, 6, 2], [0, 5, 2, 1, 1]]), torch.tensor([[1] * 5, [1, 1, 1, 0, 0]])
    states = light(input_ids=ids, attention_mask=mask).last_hidden_state
    expected = encoder(input_ids=pieces[ids], attention_mask=mask).last_hidden_state
    torch.testing.assert_close(states[mask > 0], expected[mask > 0])


def test_what_is_kept_is_read_as_before(whole: Tokenizer, tokenizer: Tokenizer, pieces: torch.Tensor) -> None:
    ids, mask = text.tokenize(tokenizer, TEXTS)
    expected, expected_mask = text.tokenize(whole, TEXTS)
    np.testing.assert_array_equal(pieces.numpy()[ids], expected)
    np.testing.assert_array_equal(mask, expected_mask)


def test_every_english_word_can_be_spelt(tokenizer: Tokenizer) -> None:
    unknown = tokenizer.token_to_id("<unk>")
    ids, _ = text.tokenize(tokenizer, ["Floccinaucinihilipilification, zyx & <qwerty>; 1234567890 {[|~]}"])
    assert unknown not in ids
    assert unknown in text.tokenize(tokenizer, ["Ужас"])[0]


def test_the_graph_is_the_model_and_its_tokenizer_fits(source: Path, pieces: torch.Tensor, tmp_path: Path) -> None:
    torch.manual_seed(0)
    encoder, tokenizer = words_bert.start(source, pieces)
    upper = Upper(encoder)
    adapters = {name: value + 0.01 * torch.randn_like(value) for name, value in trained_tensors(upper, encoder).items()}
    words_weights.save(Words({**adapters, bert.PIECES: pieces.int()}), tmp_path / words_weights.FILE)
    served_tokenizer = Tokenizer.from_str(str(bert.load_tokens(tmp_path, source)["tokenizer.json"]))
    session = session_of(bert.load(tmp_path, source), "text_emotion")
    ids, mask = text.tokenize(tokenizer, TEXTS)
    np.testing.assert_array_equal(text.tokenize(served_tokenizer, TEXTS)[0], ids)
    with torch.inference_mode():
        model = bert.build(source, words_weights.load(tmp_path / words_weights.FILE))
        expected = model(torch.from_numpy(ids), torch.from_numpy(mask))
    served = session.run(["LOGITS", "EMBEDDING"], {"INPUT_IDS": ids, "ATTENTION_MASK": mask})
    for have, want in zip(served, expected, strict=True):
        np.testing.assert_allclose(have, want.numpy(), atol=1e-4)


def test_other_weights_are_refused() -> None:
    with pytest.raises(TriptychError, match="name no pieces of text"):
        bert.pieces_of(Words({}))
