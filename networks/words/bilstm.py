"""The light words model: pieces of text -> embeddings -> BiLSTM -> additive attention -> seven emotions at once.

It reads the ids of the step `text_tokens` as they are (XLM-RoBERTa's 250,002 pieces) and shares 16,000 rows of
embeddings among them; see networks/words/bilstm_vocabulary.py. LSTM: Hochreiter and Schmidhuber 1997, both ways: Graves
and Schmidhuber 2005; additive attention: Bahdanau et al. 2015, without a query.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from onnxscript import opset18
from torch import Tensor, nn

from networks.words import adapters
from networks.words.adapters import Words
from networks.words.graph import TextGraph
from triptych.errors import TriptychError
from triptych_client.contract import EMOTIONS

op: Any = opset18
"""ONNX's operators, as functions that write them into a graph."""

PIECES = 250_002
"""Ids that the tokenizer of `text_tokens` knows."""
ROWS = 16_000
WIDTH = 96
HIDDEN = 128
PREFIX_TOKENS = 4
"""What comes before every utterance, `<s>` and the pieces of `triptych.words.text.PREFIX`: never attended to."""
DROPOUT = 0.3
WORD_DROPOUT = 0.1
"""Share of the pieces that are blanked in training (Iyyer et al. 2015)."""


class Reading(NamedTuple):
    """What the model makes of u utterances.

    `logits` f32 [u, 7]: independent of each other; `embedding` f32 [u, 2 * HIDDEN]; `attention` f32 [u, length]: share
    of each token in the embedding, summing to 1, 0 where there is none.
    """

    logits: Tensor
    embedding: Tensor
    attention: Tensor


class BilstmAttention(nn.Module):
    """INPUT_IDS, ATTENTION_MASK int64 [u, length] -> Reading. Padding, on the right, changes nothing."""

    row_of_piece: Tensor
    forwards: nn.Module
    backwards: nn.Module

    def __init__(self, rows: int = ROWS, width: int = WIDTH, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.register_buffer("row_of_piece", torch.zeros(PIECES, dtype=torch.int16))
        self.embedding = nn.Embedding(rows, width)
        self.forwards = nn.LSTM(width, hidden, batch_first=True)
        self.backwards = nn.LSTM(width, hidden, batch_first=True)
        self.scores = nn.Sequential(nn.Linear(2 * hidden, hidden // 2), nn.Tanh(), nn.Linear(hidden // 2, 1))
        self.dropout = nn.Dropout(DROPOUT)
        self.head = nn.Linear(2 * hidden, len(EMOTIONS))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Reading:
        """INPUT_IDS, ATTENTION_MASK int64 [u, length] -> Reading."""
        states = self.read(self.embed(input_ids), attention_mask)
        attention = self.attend(states, attention_mask)
        embedding = (states * attention.unsqueeze(-1)).sum(1)
        return Reading(self.head(self.dropout(embedding)), embedding, attention)

    def embed(self, input_ids: Tensor) -> Tensor:
        """INPUT_IDS int64 [u, length] -> embeddings f32 [u, length, WIDTH], some blanked in training."""
        rows = self.rows(input_ids.flatten()).view_as(input_ids)
        embedded = nn.functional.embedding(rows, self.embedding.weight).float()
        if self.training:
            kept = torch.rand(rows.shape, device=rows.device) >= WORD_DROPOUT
            embedded = embedded * kept.unsqueeze(-1)
        return self.dropout(embedded)

    def rows(self, pieces: Tensor) -> Tensor:
        """Pieces int64 [n] -> rows int64 [n] of the embedding table."""
        found = self.row_of_piece.index_select(0, pieces).long()
        return found if found.ndim == 1 else 256 * found[:, 0] + found[:, 1]

    def read(self, embedded: Tensor, attention_mask: Tensor) -> Tensor:
        """Embeddings f32 [u, length, WIDTH] -> states f32 [u, length, 2 * HIDDEN] of both directions.

        Each utterance is turned round by its own length and back, so that the backward pass begins at its last token
        and not in its padding: packed sequences, the customary way, do not export to ONNX.
        """
        turned = _turned_round(attention_mask)
        ahead, _ = self.forwards(embedded)
        back, _ = self.backwards(_take(embedded, turned))
        return torch.cat([ahead, _take(back, turned)], dim=-1)

    def attend(self, states: Tensor, attention_mask: Tensor) -> Tensor:
        """Return the share f32 [u, length] of each state f32 [u, length, 2 * HIDDEN]; the prefix has none."""
        positions = torch.arange(attention_mask.shape[1], device=attention_mask.device)
        token = attention_mask > 0
        spoken = token & (positions >= PREFIX_TOKENS)
        attended = spoken | token & ~spoken.any(dim=1, keepdim=True)
        scores = self.scores(states).squeeze(-1)
        return scores.masked_fill(~attended, torch.finfo(scores.dtype).min).softmax(dim=1)


PYTORCH_GATES, ONNX_GATES = (0, 2, 3, 1), (0, 3, 1, 2)
"""Where PyTorch's gates (input, forget, cell, output) are among ONNX's (input, output, forget, cell), and back."""


@torch.library.custom_op("triptych::lstm", mutates_args=())
def lstm(sequence: Tensor, weight: Tensor, recurrent: Tensor, bias: Tensor, recurrent_bias: Tensor) -> Tensor:
    """Return the states f32 [u, length, HIDDEN] of an LSTM over a sequence f32 [u, length, d], weights in ONNX's order.

    This is what PyTorch runs; the exported graph has ONNX's own operator in its place. PyTorch's exporter would unroll
    `nn.LSTM`, and so fix the length to the example's.
    """
    start = sequence.new_zeros(1, len(sequence), recurrent.shape[1])
    weights = [_gates(part, PYTORCH_GATES) for part in (weight, recurrent, bias, recurrent_bias)]
    return torch.lstm(sequence, [start, start], weights, True, 1, 0.0, False, False, True)[0]


@lstm.register_fake
def _(sequence: Tensor, weight: Tensor, recurrent: Tensor, bias: Tensor, recurrent_bias: Tensor) -> Tensor:
    return sequence.new_empty(*sequence.shape[:2], recurrent.shape[1])


def lstm_onnx(sequence: Any, weight: Any, recurrent: Any, bias: Any, recurrent_bias: Any) -> Any:
    """Write `lstm` as ONNX operators."""
    direction = op.Constant(value_ints=[0])
    states, _, _ = op.LSTM(
        op.Transpose(sequence, perm=[1, 0, 2]),
        op.Unsqueeze(weight, direction),
        op.Unsqueeze(recurrent, direction),
        op.Unsqueeze(op.Concat(bias, recurrent_bias, axis=0), direction),
        hidden_size=HIDDEN,
    )
    return op.Transpose(op.Squeeze(states, op.Constant(value_ints=[1])), perm=[1, 0, 2])


def _gates(rows: Tensor, order: tuple[int, ...]) -> Tensor:
    """Return the rows [4 HIDDEN, ..] of four gates in another order."""
    gates = rows.chunk(4)
    return torch.cat([gates[place] for place in order])


class _ServedLstm(nn.Module):
    """An `nn.LSTM` as one operator; called as it is."""

    def __init__(self, trained: nn.Module) -> None:
        super().__init__()
        names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
        self.weights = nn.ParameterList(_gates(trained.get_parameter(name).detach(), ONNX_GATES) for name in names)

    def forward(self, sequence: Tensor) -> tuple[Tensor, None]:
        return torch.ops.triptych.lstm(sequence, *self.weights), None


class ServedBilstm(TextGraph):
    """The graph of the step `text_emotion`: half-precision embeddings, calibrated logits."""

    translations: Mapping[Any, Callable[..., Any]] = {torch.ops.triptych.lstm.default: lstm_onnx}

    def __init__(self, model: BilstmAttention, words: Words) -> None:
        super().__init__()
        self.model = model.eval()
        self.model.head = words.head()
        self.model.embedding.half()
        self.model.row_of_piece = as_bytes(self.model.row_of_piece)
        self.model.forwards = _ServedLstm(model.forwards)
        self.model.backwards = _ServedLstm(model.backwards)

    @classmethod
    def load(cls, folder: Path) -> ServedBilstm:
        """Read the folder's trained weights; TriptychError when they are not those of this model."""
        path = folder / adapters.FILE
        words = adapters.load(path)
        model = BilstmAttention()
        try:
            model.load_state_dict(dict(words.tensors))
        except RuntimeError as error:
            raise TriptychError(f"{path} is not weights of the words channel's BiLSTM: {error}") from error
        return cls(model, words)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """INPUT_IDS, ATTENTION_MASK int64 [u, length] -> LOGITS, EMBEDDING of length 1."""
        read = self.model(input_ids, attention_mask)
        return read.logits, nn.functional.normalize(read.embedding, dim=-1)


def as_bytes(numbers: Tensor) -> Tensor:
    """Numbers int16 [n], none negative -> uint8 [n, 2], high byte first: TensorRT has no 16-bit integers."""
    return torch.stack([numbers // 256, numbers % 256], dim=1).to(torch.uint8)


def _turned_round(attention_mask: Tensor) -> Tensor:
    """Return positions int64 [u, length, 1] that put the tokens of a row in reverse and leave its padding."""
    positions = torch.arange(attention_mask.shape[1], device=attention_mask.device).unsqueeze(0)
    lengths = attention_mask.sum(dim=1, keepdim=True)
    return torch.where(positions < lengths, lengths - 1 - positions, positions).unsqueeze(-1)


def _take(sequence: Tensor, positions: Tensor) -> Tensor:
    """Return the sequence f32 [u, length, d] in the order of `positions` int64 [u, length, 1]."""
    return sequence.gather(1, positions.expand(-1, -1, sequence.shape[-1]))
