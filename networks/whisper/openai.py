"""Whisper as OpenAI publishes it: one file such as base.pt or large-v3-turbo.pt, as `openai-whisper` downloads it.

The same weights as in transformers under other names; the vocabulary is not in the file. After openai/whisper,
`whisper/model.py` (the names, the dimensions) and `whisper/tokenizer.py` (which tokens are never said).
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import WhisperConfig, WhisperForConditionalGeneration

from networks.served import Parts
from networks.whisper import vocabulary
from networks.whisper.loaded import Whisper, generation_config, generation_rules, is_multilingual
from triptych.errors import TriptychError
from triptych.sound.mel import WHISPER_N_MELS, WHISPER_V3_N_MELS

DIMENSIONS, STATE = "dims", "model_state_dict"
RENAMED = (
    (r"\.blocks\.", ".layers."),
    (r"\.attn\.", ".self_attn."),
    (r"\.cross_attn\.", ".encoder_attn."),
    (r"\.attn_ln\.", ".self_attn_layer_norm."),
    (r"\.cross_attn_ln\.", ".encoder_attn_layer_norm."),
    (r"_attn\.query\.", "_attn.q_proj."),
    (r"_attn\.key\.", "_attn.k_proj."),
    (r"_attn\.value\.", "_attn.v_proj."),
    (r"_attn\.out\.", "_attn.out_proj."),
    (r"\.mlp\.0\.", ".fc1."),
    (r"\.mlp\.2\.", ".fc2."),
    (r"\.mlp_ln\.", ".final_layer_norm."),
    (r"\.ln(_post)?\.", ".layer_norm."),
    (r"\.token_embedding\.", ".embed_tokens."),
    (r"\.positional_embedding$", ".embed_positions.weight"),
)
"""OpenAI's names, and those of transformers in their place, one after the other."""


def load(file: Path, vocabularies: Path) -> Parts:
    """Return the files of the step for a Whisper that hears 80 mel bands: tiny to large-v2."""
    return read(file, vocabularies).parts(WHISPER_N_MELS)


def load_v3(file: Path, vocabularies: Path) -> Parts:
    """Return the files of the step for a Whisper that hears 128 mel bands: large-v3 and large-v3-turbo."""
    return read(file, vocabularies).parts(WHISPER_V3_N_MELS)


def read(file: Path, vocabularies: Path) -> Whisper:
    """Return the Whisper of a file; `vocabularies`: the folder with multilingual.tiktoken and gpt2.tiktoken.

    TriptychError when it is no such file, cut short, or of other dimensions than it says.
    """
    dimensions, state = _unpickle(file)
    words = vocabulary.load(vocabularies, dimensions["n_vocab"])
    suppress = vocabulary.never_said(words), vocabulary.not_first(words)
    rules = generation_rules(words.get_vocab(), *suppress, multilingual=is_multilingual(dimensions["n_vocab"]))
    model = WhisperForConditionalGeneration(_config(dimensions, rules["end_of_text"]))
    try:
        found = model.load_state_dict(_renamed(state), strict=False)
    except RuntimeError as error:
        raise TriptychError(f"the weights in {file} are not of the dimensions that it says: {error}") from error
    if missing := [*found.missing_keys, *found.unexpected_keys]:
        raise TriptychError(f"{file} is no Whisper: it lacks or has besides {', '.join(sorted(missing)[:3])}")
    model.generation_config = generation_config(rules)
    return Whisper(model.eval(), words.to_str(), rules)


def _unpickle(file: Path) -> tuple[Mapping[str, int], Mapping[str, Tensor]]:
    """Read tensors and numbers, nothing else: no code of a pickle is run."""
    try:
        checkpoint: Any = torch.load(file, map_location="cpu", weights_only=True)
        return checkpoint[DIMENSIONS], checkpoint[STATE]
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
        raise TriptychError(f"cannot read {file}, it may be cut short: {error}") from error
    except (KeyError, TypeError) as error:
        raise TriptychError(
            f"{file} is no checkpoint of openai-whisper: it has no {error}. A folder as a model hub holds it goes with "
            "dir:PATH and another entry of the catalogue"
        ) from error


def _config(dimensions: Mapping[str, int], end: int) -> WhisperConfig:
    state = dimensions["n_audio_state"]
    return WhisperConfig(
        vocab_size=dimensions["n_vocab"],
        num_mel_bins=dimensions["n_mels"],
        d_model=state,
        encoder_layers=dimensions["n_audio_layer"],
        decoder_layers=dimensions["n_text_layer"],
        encoder_attention_heads=dimensions["n_audio_head"],
        decoder_attention_heads=dimensions["n_text_head"],
        encoder_ffn_dim=4 * state,
        decoder_ffn_dim=4 * state,
        max_source_positions=dimensions["n_audio_ctx"],
        max_target_positions=dimensions["n_text_ctx"],
        decoder_start_token_id=end + 1,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
    )


def _renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state of `WhisperForConditionalGeneration`, in float32; the projection is tied to the embedding."""
    renamed = {f"model.{in_transformers(name)}": tensor.float() for name, tensor in state.items()}
    return renamed | {"proj_out.weight": renamed["model.decoder.embed_tokens.weight"]}


def in_transformers(name: str) -> str:
    """Return what a tensor of openai-whisper is called in transformers' `WhisperModel`."""
    for pattern, replacement in RENAMED:
        name = re.sub(pattern, replacement, name)
    return name
