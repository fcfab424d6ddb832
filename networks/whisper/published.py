"""Whisper as a CTranslate2 container, the form in which packages of the index have it -> transformers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import WhisperConfig, WhisperForConditionalGeneration

from networks.formats import ctranslate2
from networks.served import Parts
from networks.whisper.loaded import Whisper, generation_config, generation_rules, is_multilingual
from triptych.errors import TriptychError
from triptych.sound.mel import WHISPER_N_MELS

Variables = Mapping[str, np.ndarray]
State = Iterator[tuple[str, np.ndarray]]


def load(source: Path) -> Parts:
    """Return the files of the step, of a folder as `read` takes it."""
    return read(source).parts(WHISPER_N_MELS)


def read(source: Path) -> Whisper:
    """Return the Whisper of a folder with model.bin, config.json and tokenizer.json.

    TriptychError when the container is not Whisper's.
    """
    container = ctranslate2.read(source / "model.bin")
    if container.specification != "WhisperSpec":
        raise TriptychError(f"{source / 'model.bin'} is a {container.specification}, not a Whisper model")
    rules = _rules(source, len(container.variables["decoder/embeddings/weight"]))
    model = WhisperForConditionalGeneration(_config(container.variables, rules))
    state = {name: torch.from_numpy(array.astype(np.float32)) for name, array in _state(container.variables)}
    model.load_state_dict(state)
    model.generation_config = generation_config(rules)
    return Whisper(model.eval(), (source / "tokenizer.json").read_text(encoding="utf-8"), rules)


def _rules(source: Path, tokens: int) -> dict[str, Any]:
    vocabulary = Tokenizer.from_file(str(source / "tokenizer.json")).get_vocab()
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    suppress = config["suppress_ids"], config["suppress_ids_begin"]
    return generation_rules(vocabulary, *suppress, multilingual=is_multilingual(tokens))


def _config(variables: Variables, rules: Mapping[str, Any]) -> WhisperConfig:
    frames, width = variables["encoder/position_encodings/encodings"].shape
    end = rules["end_of_text"]
    return WhisperConfig(
        vocab_size=len(variables["decoder/embeddings/weight"]),
        num_mel_bins=variables["encoder/conv1/weight"].shape[1],
        d_model=width,
        encoder_layers=_layers(variables, "encoder"),
        decoder_layers=_layers(variables, "decoder"),
        encoder_attention_heads=int(variables["encoder/num_heads"]),
        decoder_attention_heads=int(variables["decoder/num_heads"]),
        encoder_ffn_dim=len(variables["encoder/layer_0/ffn/linear_0/bias"]),
        decoder_ffn_dim=len(variables["decoder/layer_0/ffn/linear_0/bias"]),
        max_source_positions=frames,
        max_target_positions=len(variables["decoder/position_encodings/encodings"]),
        decoder_start_token_id=rules["start_of_transcript"],
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
    )


def _state(variables: Variables) -> State:
    """Yield the parameters of `WhisperForConditionalGeneration` by name."""
    for side in ("encoder", "decoder"):
        ours = f"model.{side}"
        for i in range(_layers(variables, side)):
            yield from _layer(variables, f"{side}/layer_{i}", f"{ours}.layers.{i}")
        yield from _norm(variables, f"{side}/layer_norm", f"{ours}.layer_norm")
        yield f"{ours}.embed_positions.weight", variables[f"{side}/position_encodings/encodings"]
    for convolution in ("conv1", "conv2"):
        yield from _linear(variables, f"encoder/{convolution}", f"model.encoder.{convolution}")
    for tied in ("model.decoder.embed_tokens.weight", "proj_out.weight"):
        yield tied, variables["decoder/embeddings/weight"]


def _layer(variables: Variables, theirs: str, ours: str) -> State:
    yield from _norm(variables, f"{theirs}/self_attention/layer_norm", f"{ours}.self_attn_layer_norm")
    yield from _split(variables, f"{theirs}/self_attention/linear_0", f"{ours}.self_attn", "qkv")
    yield from _linear(variables, f"{theirs}/self_attention/linear_1", f"{ours}.self_attn.out_proj")
    if f"{theirs}/attention/linear_0/weight" in variables:
        yield from _norm(variables, f"{theirs}/attention/layer_norm", f"{ours}.encoder_attn_layer_norm")
        yield from _split(variables, f"{theirs}/attention/linear_0", f"{ours}.encoder_attn", "q")
        yield from _split(variables, f"{theirs}/attention/linear_1", f"{ours}.encoder_attn", "kv")
        yield from _linear(variables, f"{theirs}/attention/linear_2", f"{ours}.encoder_attn.out_proj")
    yield from _norm(variables, f"{theirs}/ffn/layer_norm", f"{ours}.final_layer_norm")
    yield from _linear(variables, f"{theirs}/ffn/linear_0", f"{ours}.fc1")
    yield from _linear(variables, f"{theirs}/ffn/linear_1", f"{ours}.fc2")


def _norm(variables: Variables, theirs: str, ours: str) -> State:
    yield f"{ours}.weight", variables[f"{theirs}/gamma"]
    yield f"{ours}.bias", variables[f"{theirs}/beta"]


def _linear(variables: Variables, theirs: str, ours: str) -> State:
    yield f"{ours}.weight", variables[f"{theirs}/weight"]
    yield f"{ours}.bias", variables[f"{theirs}/bias"]


def _split(variables: Variables, theirs: str, ours: str, letters: str) -> State:
    """Yield the projections that CTranslate2 keeps as one; that of the keys has no bias (zeros there)."""
    weights = np.split(variables[f"{theirs}/weight"], len(letters))
    biases = np.split(variables[f"{theirs}/bias"], len(letters))
    for letter, weight, bias in zip(letters, weights, biases, strict=True):
        yield f"{ours}.{letter}_proj.weight", weight
        if letter != "k":
            yield f"{ours}.{letter}_proj.bias", bias


def _layers(variables: Variables, side: str) -> int:
    return len({match[1] for name in variables if (match := re.match(rf"{side}/layer_(\d+)/", name))})
