"""A light English BERT from multilingual-e5-small: its lower layers, and only the pieces that English texts hold.

multilingual-e5-small is a BERT (Devlin et al. 2019) of twelve layers, 384 wide as MiniLM (Wang et al. 2020), with the
vocabulary of XLM-RoBERTa. Dropping the upper layers before fine-tuning costs least (Sajjad et al. 2023), and most of
the weights are embeddings of pieces that no English text holds.
"""

from __future__ import annotations

import string
from collections.abc import Iterable
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import BertConfig, BertModel, XLMRobertaModel

from networks.served import Parts
from networks.words import adapters, e5, tokens
from networks.words.adapters import Words
from networks.words.comparison import PackedEmbedding
from networks.words.trained import TrainedWords
from triptych.errors import TriptychError
from triptych.words.text import PREFIX

LAYERS = 6
PIECES = "pieces"
"""Name, among the trained tensors, of the ids int32 [n] of multilingual-e5-small's pieces that are kept."""


def load(trained: Path, encoder: Path) -> TrainedWords:
    """Read the folder of what was trained and multilingual-e5-small's; the vocabulary stays in 4 bits."""
    words = adapters.load(trained / adapters.FILE)
    model = build(encoder, words)
    vocabulary = e5.load_packed_vocabulary(encoder).rows(pieces_of(words).numpy())
    model.encoder.set_input_embeddings(PackedEmbedding(vocabulary))
    return model


def load_tokens(trained: Path, encoder: Path) -> Parts:
    """Return the tokenizer over the model's pieces, from the same folders."""
    words = adapters.load(trained / adapters.FILE)
    return tokens.parts(e5.load_tokenizer(encoder, pieces_of(words).tolist()), PREFIX)


def build(source: Path, words: Words) -> TrainedWords:
    """Return the float32 model with plain token embeddings, of multilingual-e5-small's folder and what was trained."""
    encoder = load_encoder(source, pieces_of(words))
    words.merge(encoder)
    return TrainedWords(encoder, words.head()).eval()


def english_pieces(tokenizer: Tokenizer, texts: Iterable[str]) -> Tensor:
    """Return the ids int64 [pieces], ascending, of the pieces in `texts`, of ASCII characters and special tokens.

    With the characters, every English word can be spelt.
    """
    seen = {number for encoding in tokenizer.encode_batch(list(texts)) for number in encoding.ids}
    spelt = (*e5.SPECIAL_TOKENS, "▁", *string.printable, *(f"▁{letter}" for letter in string.printable))
    known = {number for piece in spelt if (number := tokenizer.token_to_id(piece)) is not None}
    return torch.tensor(sorted(seen | known))


def pieces_of(words: Words) -> Tensor:
    """Return the ids int64 [n] that trained weights are of; TriptychError when they are another model's."""
    if PIECES not in words.tensors:
        raise TriptychError("these are not weights of the English words model: they name no pieces of text")
    return words.tensors[PIECES].long()


def load_encoder(source: Path, pieces: Tensor, layers: int = LAYERS) -> BertModel:
    """Return the lower layers of multilingual-e5-small, in folder `source`, with `pieces` int64 [n] as ids 0, 1, ..."""
    return prune(e5.load_encoder(source), pieces, layers)


def prune(encoder: XLMRobertaModel, pieces: Tensor, layers: int) -> BertModel:
    """Return the first layers of an encoder as the BERT that it is, with the embeddings of `pieces` int64 [n] only."""
    config = encoder.config
    assert config.pad_token_id is not None
    unused_positions = config.pad_token_id + 1
    bert = BertModel(
        BertConfig(
            vocab_size=len(pieces),
            hidden_size=config.hidden_size,
            num_hidden_layers=layers,
            num_attention_heads=config.num_attention_heads,
            intermediate_size=config.intermediate_size,
            max_position_embeddings=config.max_position_embeddings - unused_positions,
            type_vocab_size=config.type_vocab_size,
            layer_norm_eps=config.layer_norm_eps,
            pad_token_id=config.pad_token_id,
        ),
        add_pooling_layer=False,
    )
    state = encoder.state_dict()
    state["embeddings.word_embeddings.weight"] = state["embeddings.word_embeddings.weight"][pieces]
    state["embeddings.position_embeddings.weight"] = state["embeddings.position_embeddings.weight"][unused_positions:]
    bert.load_state_dict({name: state[name] for name in bert.state_dict()})
    return bert.eval()
