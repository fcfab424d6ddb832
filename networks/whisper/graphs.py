"""The two graphs that serve Whisper, written for ONNX Runtime's greedy loop.

The keys and values that every decoder layer takes from the encoder are computed once for each window, in the layout
that the decoder's products read. b: windows, h: heads, d: width of a head, s: encoder frames (1500), t: new tokens,
p: tokens before them.
"""

# PyTorch declares the parts of a module as Tensor | Module: what transformers' layers really hold, pyright cannot know.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportOperatorIssue=false
from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.export import Dim
from torch.nn import functional
from transformers import WhisperForConditionalGeneration

from networks.served import Served

OPSET = 20
"""The first with Gelu as one operator."""


class Encoder(Served):
    """The encoder, and what every decoder layer takes from it: `log_mel` -> `cross_key_0`, `cross_value_0`, .."""

    opset = OPSET
    inputs = ("log_mel",)

    def __init__(self, model: WhisperForConditionalGeneration) -> None:
        super().__init__()
        self.log_mel_shape = (model.config.num_mel_bins, 2 * model.config.max_source_positions)
        self.outputs = _names(model, "cross")
        encoder = model.model.encoder
        self.conv1, self.conv2 = encoder.conv1, encoder.conv2
        self.positions = encoder.embed_positions.weight
        self.layers = nn.ModuleList(_EncoderLayer(layer) for layer in encoder.layers)
        self.norm = encoder.layer_norm
        self.crosses = nn.ModuleList(layer.encoder_attn for layer in model.model.decoder.layers)

    def example(self) -> tuple[torch.Tensor]:
        """Two windows."""
        return (torch.zeros(2, *self.log_mel_shape),)

    def free_axes(self) -> Any:
        """Any number of windows, of any length."""
        return ({0: Dim.DYNAMIC, 2: Dim.DYNAMIC},)

    def forward(self, log_mel: torch.Tensor) -> list[torch.Tensor]:
        """Take log_mel [b, mels, 2 s]; return cross_key [b, h, d, s], cross_value [b, h, s, d] of each layer."""
        hidden = functional.gelu(self.conv1(log_mel))
        hidden = functional.gelu(self.conv2(hidden)).transpose(1, 2)
        hidden = hidden + self.positions[: hidden.shape[1]]
        for layer in self.layers:
            hidden = layer(hidden)
        hidden = self.norm(hidden)
        outputs = []
        for cross in self.crosses:
            outputs.append(_heads(cross.k_proj(hidden), cross.num_heads).transpose(2, 3))
            outputs.append(_heads(cross.v_proj(hidden), cross.num_heads))
        return outputs


class Decoder(Served):
    """The decoder: `ids`, `past_key_0`, .., `cross_key_0`, .. -> `logits`, `present_key_0`, .."""

    opset = OPSET

    def __init__(self, model: WhisperForConditionalGeneration) -> None:
        super().__init__()
        config = model.config
        self.heads, self.frames = config.decoder_attention_heads, config.max_source_positions
        self.width = config.d_model // self.heads
        self.inputs = ("ids", *_names(model, "past"), *_names(model, "cross"))
        self.outputs = ("logits", *_names(model, "present"))
        decoder = model.model.decoder
        self.layers = nn.ModuleList(_DecoderLayer(layer) for layer in decoder.layers)
        self.norm = decoder.layer_norm
        self.positions = decoder.embed_positions.weight
        # The embedding is kept as half floats where that is exact, as it is with most weights that are published, and
        # the projection, which it is tied to, as the float matrix that is multiplied with.
        self.register_buffer("embedding", _halved(decoder.embed_tokens.weight.detach()))
        self.register_buffer("projection", model.proj_out.weight.detach().T.contiguous())

    def example(self) -> tuple[Any, ...]:
        """Two windows, two new tokens after three.

        Each input is a tensor of its own: the exporter would take one for all.
        """
        ids = torch.zeros(2, 2, dtype=torch.int64)
        past = [torch.zeros(2, self.heads, 3, self.width) for _ in range(2 * len(self.layers))]
        cross = [
            torch.zeros(2, self.heads, *size)
            for _ in self.layers
            for size in ((self.width, self.frames), (self.frames, self.width))
        ]
        return ids, past, cross

    def free_axes(self) -> Any:
        """Any number of windows, new tokens, tokens before them, and encoder frames, few in parts of a window."""
        past = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC}
        key, value = {0: Dim.DYNAMIC, 3: Dim.DYNAMIC}, {0: Dim.DYNAMIC, 2: Dim.DYNAMIC}
        layers = len(self.layers)
        return {0: Dim.DYNAMIC, 1: Dim.DYNAMIC}, [past] * (2 * layers), [key, value] * layers

    def forward(self, ids: torch.Tensor, past: list[torch.Tensor], cross: list[torch.Tensor]) -> list[torch.Tensor]:
        """Take ids [b, t], past and cross keys and values; return logits [b, vocabulary] after the last id, and more.

        That is the present keys and values, [b, h, p + t, d] where the past ones are [b, h, p, d]: two for each layer.
        """
        before, new = past[0].shape[2], ids.shape[1]
        places = torch.arange(before, before + new)
        mask = torch.where(torch.arange(before + new) <= places[:, None], 0.0, -math.inf)
        hidden = functional.embedding(ids, self.embedding).float() + self.positions[places]
        present = []
        for i, layer in enumerate(self.layers):
            pair = slice(2 * i, 2 * i + 2)
            hidden, *keys_values = layer(hidden, mask, *past[pair], *cross[pair])
            present += keys_values
        return [self.norm(hidden[:, -1]) @ self.projection, *present]


class _EncoderLayer(nn.Module):
    """hidden [b, s, h * d] -> the same. Its attention is ONNX Runtime's own, which never holds all s * s scores."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        attention = layer.self_attn
        self.heads = attention.num_heads
        self.norm, self.out = layer.self_attn_layer_norm, attention.out_proj
        self.project = _fused([attention.q_proj, attention.k_proj, attention.v_proj])
        self.feed_forward = _FeedForward(layer)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        query, key, value = self.project(self.norm(hidden)).chunk(3, dim=-1)
        attended = torch.onnx.ops.symbolic(
            "com.microsoft::MultiHeadAttention",
            (query, key, value),
            {"num_heads": self.heads},
            dtype=query.dtype,
            shape=query.shape,
            version=1,
        )
        return self.feed_forward(hidden + self.out(attended))


class _DecoderLayer(nn.Module):
    """hidden [b, t, h * d], mask [t, p + t], keys and values -> hidden, new key, new value."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        attention, cross = layer.self_attn, layer.encoder_attn
        self.heads, self.scale = attention.num_heads, attention.scaling
        self.norm, self.cross_norm = layer.self_attn_layer_norm, layer.encoder_attn_layer_norm
        self.project = _fused([attention.q_proj, attention.k_proj, attention.v_proj])
        self.out, self.cross_query, self.cross_out = attention.out_proj, cross.q_proj, cross.out_proj
        self.feed_forward = _FeedForward(layer)

    def forward(
        self,
        hidden: torch.Tensor,
        mask: torch.Tensor,
        past_key: torch.Tensor,
        past_value: torch.Tensor,
        cross_key: torch.Tensor,
        cross_value: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        query, key, value = (_heads(part, self.heads) for part in self.project(self.norm(hidden)).chunk(3, dim=-1))
        key, value = torch.cat([past_key, key], dim=2), torch.cat([past_value, value], dim=2)
        hidden = hidden + self.out(_attended(self.scale * query @ key.transpose(2, 3) + mask, value))
        query = _heads(self.cross_query(self.cross_norm(hidden)), self.heads)
        hidden = hidden + self.cross_out(_attended(self.scale * query @ cross_key, cross_value))
        return self.feed_forward(hidden), key, value


class _FeedForward(nn.Module):
    """The second half of every layer, with its residual connection."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.norm, self.fc1, self.fc2 = layer.final_layer_norm, layer.fc1, layer.fc2

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return hidden + self.fc2(functional.gelu(self.fc1(self.norm(hidden))))


def _names(model: WhisperForConditionalGeneration, prefix: str) -> tuple[str, ...]:
    layers = range(model.config.decoder_layers)
    return tuple(f"{prefix}_{what}_{layer}" for layer in layers for what in ("key", "value"))


def _heads(hidden: torch.Tensor, heads: int) -> torch.Tensor:
    """[b, t, h * d] -> [b, h, t, d]."""
    return hidden.unflatten(-1, (heads, -1)).transpose(1, 2)


def _attended(scores: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """[b, h, t, p] scores, [b, h, p, d] values -> [b, t, h * d]."""
    return (scores.softmax(-1) @ value).transpose(1, 2).flatten(2)


def _halved(weight: torch.Tensor) -> torch.Tensor:
    """Return a matrix as half floats, or as it is when those are not the same numbers; without any they are."""
    halves = weight.half()
    return halves if weight.is_meta or torch.equal(halves.float(), weight) else weight


def _fused(projections: list[nn.Linear]) -> nn.Linear:
    """Return one linear layer whose output is those of several, side by side; a missing bias is zero."""
    weight = torch.cat([linear.weight for linear in projections])
    bias = torch.cat(
        [torch.zeros(len(linear.weight)) if linear.bias is None else linear.bias for linear in projections]
    )
    fused = nn.Linear(weight.shape[1], weight.shape[0])
    fused.load_state_dict({"weight": weight, "bias": bias})
    return fused
