"""Whisper as transformers writes it, such as openai/whisper-small or distil-whisper/distil-large-v3.

Radford et al. 2022, arXiv:2212.04356; Gandhi et al. 2023, arXiv:2311.00430.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from transformers import GenerationConfig, WhisperForConditionalGeneration, WhisperTokenizer

from networks import pretrained
from networks.served import Parts
from networks.whisper.loaded import MAX_INITIAL_TIMESTAMP, Whisper, generation_rules, is_multilingual
from triptych.errors import TriptychError
from triptych.sound.mel import WHISPER_N_MELS, WHISPER_V3_N_MELS

TOKENIZER = "tokenizer.json"


def load(folder: Path) -> Parts:
    """Return the files of the step for a Whisper that hears 80 mel bands: tiny to large-v2."""
    return read(folder).parts(WHISPER_N_MELS)


def load_v3(folder: Path) -> Parts:
    """Return the files of the step for a Whisper that hears 128 mel bands: large-v3 and those that come of it."""
    return read(folder).parts(WHISPER_V3_N_MELS)


def read(folder: Path) -> Whisper:
    """Return the Whisper of a folder with config.json, weights, and a tokenizer.

    What is suppressed, and how late the first timestamp may be, is as generation_config.json says. TriptychError when
    the folder holds another network, or a part is missing.
    """
    model = pretrained.load(WhisperForConditionalGeneration, folder).float()
    tokenizer = _tokenizer(folder)
    asked = model.generation_config or GenerationConfig()
    multilingual = _option(asked, "is_multilingual", is_multilingual(model.config.vocab_size))
    rules = generation_rules(
        Tokenizer.from_str(tokenizer).get_vocab(),
        asked.suppress_tokens or [],
        asked.begin_suppress_tokens or [],
        multilingual,
        _option(asked, "max_initial_timestamp_index", MAX_INITIAL_TIMESTAMP),
    )
    return Whisper(model, tokenizer, rules)


def _tokenizer(folder: Path) -> str:
    """Return the content of tokenizer.json, made of vocab.json and merges.txt where an older folder has those."""
    path = folder / TOKENIZER
    if path.is_file():
        return path.read_text(encoding="utf-8")
    if not ((folder / "vocab.json").is_file() and (folder / "merges.txt").is_file()):
        raise TriptychError(f"there is no tokenizer in {folder}: {TOKENIZER}, or vocab.json and merges.txt, is missing")
    return WhisperTokenizer.from_pretrained(folder, local_files_only=True).backend_tokenizer.to_str()


def _option(config: GenerationConfig, name: str, default: Any) -> Any:
    """Return an option of generation, or what stands for one that is not said."""
    value = getattr(config, name, None)
    return default if value is None else value
