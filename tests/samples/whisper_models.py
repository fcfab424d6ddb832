"""Tiny Whispers with random weights, in the forms in which Whisper is published. For tests of wiring."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import GenerationConfig, WhisperConfig, WhisperForConditionalGeneration

from networks.whisper import loaded, vocabulary
from networks.whisper.loaded import MULTILINGUAL_TOKENS

ENGLISH_TOKENS, V3_TOKENS = MULTILINGUAL_TOKENS - 1, MULTILINGUAL_TOKENS + 1
WIDTH, LAYERS, HEADS = 32, 2, 4


def tiny(tokens: int, n_mels: int) -> WhisperForConditionalGeneration:
    """Return a Whisper of two layers on either side."""
    torch.manual_seed(0)
    config = WhisperConfig(
        vocab_size=tokens,
        num_mel_bins=n_mels,
        d_model=WIDTH,
        encoder_layers=LAYERS,
        decoder_layers=LAYERS,
        encoder_attention_heads=HEADS,
        decoder_attention_heads=HEADS,
        encoder_ffn_dim=4 * WIDTH,
        decoder_ffn_dim=4 * WIDTH,
        init_std=0.2,
    )
    return WhisperForConditionalGeneration(config).eval()


def rules_of(tokenizer: Tokenizer, tokens: int) -> dict[str, object]:
    """Return the rules of decoding that openai/whisper has for a vocabulary of so many tokens."""
    suppress = vocabulary.never_said(tokenizer), vocabulary.not_first(tokenizer)
    return loaded.generation_rules(tokenizer.get_vocab(), *suppress, multilingual=loaded.is_multilingual(tokens))


def save_folder(model: WhisperForConditionalGeneration, tokenizer: Tokenizer, folder: Path) -> GenerationConfig:
    """Write a model as a hub has it; return how transformers decodes with it."""
    model.generation_config = loaded.generation_config(rules_of(tokenizer, model.config.vocab_size))
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return model.generation_config


def save_file(model: WhisperForConditionalGeneration, path: Path) -> None:
    """Write a model as openai-whisper has it."""
    config = model.config
    dimensions = {
        "n_mels": config.num_mel_bins,
        "n_vocab": config.vocab_size,
        "n_audio_ctx": config.max_source_positions,
        "n_audio_state": config.d_model,
        "n_audio_head": config.encoder_attention_heads,
        "n_audio_layer": config.encoder_layers,
        "n_text_ctx": config.max_target_positions,
        "n_text_state": config.d_model,
        "n_text_head": config.decoder_attention_heads,
        "n_text_layer": config.decoder_layers,
    }
    torch.save({"dims": dimensions, "model_state_dict": openai_state(model.state_dict(), config)}, path)


def openai_state(state: Mapping[str, Tensor], config: WhisperConfig) -> dict[str, Tensor]:
    """Return a model's tensors under the names that they have in `whisper/model.py` of openai/whisper."""
    names = {
        "encoder.positional_embedding": "encoder.embed_positions.weight",
        "decoder.positional_embedding": "decoder.embed_positions.weight",
        "decoder.token_embedding.weight": "decoder.embed_tokens.weight",
        **_both("encoder.ln_post", "encoder.layer_norm"),
        **_both("decoder.ln", "decoder.layer_norm"),
        **_both("encoder.conv1", "encoder.conv1"),
        **_both("encoder.conv2", "encoder.conv2"),
    }
    for side, layers in (("encoder", config.encoder_layers), ("decoder", config.decoder_layers)):
        for layer in range(layers):
            names |= _layer(f"{side}.blocks.{layer}", f"{side}.layers.{layer}", crosses=side == "decoder")
    return {theirs: state[f"model.{ours}"] for theirs, ours in names.items()}


def _layer(theirs: str, ours: str, crosses: bool) -> dict[str, str]:
    kinds = {"attn": "self_attn", **({"cross_attn": "encoder_attn"} if crosses else {})}
    names = {
        **_both(f"{theirs}.mlp_ln", f"{ours}.final_layer_norm"),
        **_both(f"{theirs}.mlp.0", f"{ours}.fc1"),
        **_both(f"{theirs}.mlp.2", f"{ours}.fc2"),
    }
    for kind, name in kinds.items():
        names |= _both(f"{theirs}.{kind}_ln", f"{ours}.{name}_layer_norm")
        names |= {f"{theirs}.{kind}.key.weight": f"{ours}.{name}.k_proj.weight"}
        for part, projection in (("query", "q_proj"), ("value", "v_proj"), ("out", "out_proj")):
            names |= _both(f"{theirs}.{kind}.{part}", f"{ours}.{name}.{projection}")
    return names


def _both(theirs: str, ours: str) -> dict[str, str]:
    return {f"{theirs}.{what}": f"{ours}.{what}" for what in ("weight", "bias")}
