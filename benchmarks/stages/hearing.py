"""Whisper in two halves, as it is served, and wav2vec 2.0."""

# PyTorch declares the parts of a module as Tensor | Module: what transformers' layers really hold, pyright cannot know.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn.utils import parametrize
from transformers import Wav2Vec2ForSequenceClassification, WhisperConfig, WhisperForConditionalGeneration

from benchmarks.stages.plan import Plan, cast
from benchmarks.stages.random_models import made
from networks.whisper.graphs import Decoder

ENCODER_FRAMES, MEL_FRAMES = 1500, 3000
PROMPT = (50258, 50259, 50359, 50363)
"""<|startoftranscript|><|en|><|transcribe|><|notimestamps|> of the multilingual base model."""
SIZES: dict[str, dict[str, int]] = {
    "base": {
        "d_model": 512,
        "encoder_layers": 6,
        "decoder_layers": 6,
        "encoder_attention_heads": 8,
        "decoder_attention_heads": 8,
        "encoder_ffn_dim": 2048,
        "decoder_ffn_dim": 2048,
        "num_mel_bins": 80,
        "vocab_size": 51865,
    },
    "large-v3-turbo": {
        "d_model": 1280,
        "encoder_layers": 32,
        "decoder_layers": 4,
        "encoder_attention_heads": 20,
        "decoder_attention_heads": 20,
        "encoder_ffn_dim": 5120,
        "decoder_ffn_dim": 5120,
        "num_mel_bins": 128,
        "vocab_size": 51866,
    },
}
"""config.json of openai/whisper-base and openai/whisper-large-v3-turbo, where they differ from the defaults."""


class Listening(nn.Module):
    """log_mel f32 [b, mels, 3000] -> the keys and values [b, 1500, d] that each decoder layer takes from the encoder.

    transformers' encoder in place of `networks.whisper.graphs.Encoder`, whose attention is an operator of ONNX
    Runtime's and nothing that PyTorch could run.
    """

    def __init__(self, model: WhisperForConditionalGeneration) -> None:
        super().__init__()
        self.encoder = model.model.encoder
        self.crosses = nn.ModuleList(layer.encoder_attn for layer in model.model.decoder.layers)

    def forward(self, log_mel: Tensor) -> tuple[Tensor, ...]:
        """log_mel f32 [b, mels, 3000] -> key, value [b, 1500, d] of each decoder layer."""
        hidden = self.encoder(log_mel).last_hidden_state
        return tuple(project(hidden) for cross in self.crosses for project in (cross.k_proj, cross.v_proj))


class Greedy(nn.Module):
    """The served decoder in a loop: keys and values of the encoder -> the first logits, and `tokens` ids of the text.

    Nothing waits for the end of a text, so the number of steps is fixed and all of them are one CUDA graph.
    """

    prompt: Tensor

    def __init__(self, decoder: Decoder, tokens: int) -> None:
        super().__init__()
        self.decoder, self.tokens = decoder, tokens
        self.register_buffer("prompt", torch.tensor([PROMPT]))
        for layer in decoder.layers:  # the sum of embeddings and the mask are float32
            layer.register_forward_pre_hook(lambda layer, args: cast(args, layer.out.weight.dtype))

    def forward(self, *cross: Tensor) -> tuple[Tensor, Tensor]:
        """Keys [b, h, d, 1500] and values [b, h, 1500, d] of each layer -> logits [b, vocabulary], ids [b, tokens]."""
        batch, heads, width, _ = cross[0].shape
        past = [cross[0].new_zeros(batch, heads, 0, width)] * len(cross)
        ids, chosen, first = self.prompt.expand(batch, -1), [], None
        with torch.device(cross[0].device):  # the decoder makes its positions where tensors are made
            for _ in range(self.tokens):
                logits, *past = self.decoder(ids, past, list(cross))
                first = logits if first is None else first
                ids = logits.argmax(-1, keepdim=True)
                chosen.append(ids)
        assert first is not None
        return first, torch.cat(chosen, dim=1)


def encoder(size: str, plan: Plan) -> nn.Module:
    """Return the encoding half."""
    return Listening(_whisper(size, plan))


def decoder(size: str, plan: Plan) -> nn.Module:
    """Return the decoding half."""
    model = _whisper(size, plan)
    with torch.device(plan.device):
        return Greedy(Decoder(model), plan.tokens).eval()


def cross_attention(size: str, batch: int, generator: Generator) -> tuple[Tensor, ...]:
    """Return keys f32 [b, h, d, 1500] and values f32 [b, h, 1500, d] for each decoder layer, all of one layer's."""
    heads = SIZES[size]["decoder_attention_heads"]
    width = SIZES[size]["d_model"] // heads
    shape = (batch, heads, ENCODER_FRAMES, width)
    value = torch.randn(shape, generator=generator, device=generator.device)
    return tuple(part for _ in range(SIZES[size]["decoder_layers"]) for part in (value.mT.contiguous(), value.clone()))


def without_weight_norm(model: Wav2Vec2ForSequenceClassification) -> Wav2Vec2ForSequenceClassification:
    """Make the weight-normalised convolution a plain one, as it is served."""
    convolution: Any = model.wav2vec2.encoder.pos_conv_embed.conv
    if parametrize.is_parametrized(convolution):
        parametrize.remove_parametrizations(convolution, "weight")
    return model


def _whisper(size: str, plan: Plan) -> WhisperForConditionalGeneration:
    sizes: dict[str, Any] = dict(SIZES[size])
    if plan.depth is not None:
        sizes["encoder_layers"] = min(plan.depth, sizes["encoder_layers"])
    return made(WhisperForConditionalGeneration, WhisperConfig(**sizes), plan)
