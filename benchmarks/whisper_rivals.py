"""Other programs that run the Whisper that is served: the same weights, greedy, with timestamps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from transformers.utils import logging

from export.gates.inputs import log_mels
from export.gates.whisper import tokens
from networks.whisper.loaded import Whisper
from networks.whisper.openai import in_transformers
from triptych.errors import TriptychError

Rival = Callable[[np.ndarray, str], list[int]]
"""Takes sound f32 [samples] of at most 30 s, 16 kHz, and its language; returns the tokens of text and timestamps."""


def transformers(whisper: Whisper) -> Rival:
    """Return `WhisperForConditionalGeneration.generate`."""
    logging.set_verbosity_error()
    bands = whisper.model.config.num_mel_bins
    return lambda pcm, language: tokens(whisper, log_mels(pcm[None], bands), language)


def openai(whisper: Whisper) -> Rival:
    """Return openai-whisper's `decode`, its own log-mel included: one pass. TriptychError where it is not installed.

    Its `transcribe` is not what transformers and we do: it fills a window with zeros among the features, where silence
    is meant, and other tokens come of it.
    """
    try:
        import whisper as reference
    except ModuleNotFoundError as error:
        raise TriptychError(f"{error.name} is missing: pip install 'triptych[openai-whisper]'") from error
    model, audio = _same_weights(reference, whisper), reference.audio
    bands = whisper.model.config.num_mel_bins

    def hear(pcm: np.ndarray, language: str) -> list[int]:
        log_mel = audio.log_mel_spectrogram(pcm, bands, padding=audio.N_SAMPLES)
        options = reference.DecodingOptions(language=language or None, temperature=0.0, fp16=False)
        return list(model.decode(audio.pad_or_trim(log_mel, audio.N_FRAMES), options).tokens)

    return hear


RIVALS: dict[str, Callable[[Whisper], Rival]] = {"transformers": transformers, "openai-whisper": openai}


def _same_weights(reference: Any, whisper: Whisper) -> Any:
    """Return openai-whisper's model with the weights of one that transformers holds."""
    config, state = whisper.model.config, whisper.model.state_dict()
    dimensions = reference.model.ModelDimensions(
        n_mels=config.num_mel_bins,
        n_audio_ctx=config.max_source_positions,
        n_audio_state=config.d_model,
        n_audio_head=config.encoder_attention_heads,
        n_audio_layer=config.encoder_layers,
        n_vocab=config.vocab_size,
        n_text_ctx=config.max_target_positions,
        n_text_state=config.d_model,
        n_text_head=config.decoder_attention_heads,
        n_text_layer=config.decoder_layers,
    )
    model = reference.model.Whisper(dimensions)
    model.load_state_dict({name: state[f"model.{in_transformers(name)}"] for name in model.state_dict()})
    return model.eval().requires_grad_(False)


def text_of(found: list[int], whisper: Whisper, tokenizer: Any) -> str:
    """Return the words of tokens, without timestamps."""
    return tokenizer.decode([token for token in found if token < whisper.rules["end_of_text"]])
