"""Utterances -> tokens."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from triptych.words import text


@pytest.fixture(scope="module")
def tokenizer(repository):
    return Tokenizer.from_file(str(repository / "text_tokens" / "1" / "tokenizer.json"))


def cells(rows):
    return np.array([[cell.encode() for cell in row] for row in rows], dtype=object)


def test_utterances_come_in_row_major_order_without_padding():
    utterances = cells([["one", "", "two"], ["", " ", ""], ["три", "four", ""]])
    assert text.flatten(utterances).tolist() == [0, 2, 6, 7]
    assert text.texts(utterances) == ["one", "two", "три", "four"]
    assert text.texts(utterances.astype(bytes)[:1]) == ["one", "two"]


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (2, 0), (1, 1), (3, 4)])
def test_no_utterance_is_no_position(shape):
    blank = np.full(shape, b"", dtype=object)
    assert text.flatten(blank).tolist() == []
    assert text.texts(blank) == []


def test_more_utterances_than_the_model_takes_are_left_out():
    assert len(text.flatten(cells([["word"] * 50, ["word"] * 50]))) == text.MAX_UTTERANCES


@given(st.lists(st.lists(st.binary(max_size=20), min_size=3, max_size=3), max_size=4))
def test_any_bytes_give_texts_that_match_their_positions(rows):
    utterances = np.array(rows, dtype=object).reshape(len(rows), 3)
    found = text.texts(utterances)
    assert found == [utterances.ravel()[i].decode("utf-8", errors="replace") for i in text.flatten(utterances)]
    assert all(one.strip() for one in found)


def test_tokens_are_padded_to_a_multiple_of_16(tokenizer):
    ids, mask = text.tokenize(
        tokenizer, ["Hi.", "A sentence which takes more than sixteen tokens: one, two, three, four."]
    )
    assert ids.shape == mask.shape == (2, 32)
    assert ids.dtype == mask.dtype == np.int64
    assert (ids[mask == 0] == 1).all()
    assert tokenizer.decode(ids[0].tolist()) == "query: Hi."


def test_long_texts_lose_their_end(tokenizer):
    ids, mask = text.tokenize(tokenizer, ["word " * 1000])
    assert ids.shape == (1, text.MAX_TOKENS)
    assert mask.all()
    assert ids[0, -1] == 2


def test_no_text_is_one_blank_row(tokenizer):
    ids, mask = text.tokenize(tokenizer, [])
    assert ids.shape == (1, 16)
    assert tokenizer.decode(ids[0, mask[0] == 1].tolist()) == "query:"


@given(st.lists(st.text(max_size=200), max_size=5))
def test_any_text_is_tokenized(tokenizer, texts):
    ids, mask = text.tokenize(tokenizer, texts)
    assert len(ids) == max(1, len(texts))
    assert ids.shape[1] % text.LENGTH_STEP == 0
    assert (mask[:, 0] == 1).all()
    assert ((ids >= 0) & (ids < 250002)).all()
