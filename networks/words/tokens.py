"""The words channel's tokenizers, each as one file for the step `text_tokens`."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer

from networks.served import Parts
from networks.words import e5
from triptych.errors import TriptychError
from triptych.words.text import LENGTH_STEP, MAX_TOKENS

FILE = "tokenizer.json"


def of_e5(encoder: Path) -> Parts:
    """Return the tokenizer of multilingual-e5-small."""
    return {FILE: e5.load_tokenizer(encoder).to_str()}


def of_checkpoint(folder: Path) -> Parts:
    """Return the tokenizer of a published words model."""
    return {FILE: load_published(folder).to_str()}


def load_published(folder: Path) -> Tokenizer:
    """Return the tokenizer of a checkpoint, padding and truncating as `triptych.words.text` says.

    TriptychError when the folder has none in the form of `tokenizers`, or it has no padding token.
    """
    path = folder / FILE
    if not path.is_file():
        raise TriptychError(f"there is no {FILE} in {folder}: save the checkpoint with a fast tokenizer")
    tokenizer = Tokenizer.from_file(str(path))
    padding = next((token for token in ("<pad>", "[PAD]") if tokenizer.token_to_id(token) is not None), None)
    if padding is None:
        raise TriptychError(f"the tokenizer of {path} has neither <pad> nor [PAD]")
    tokenizer.enable_padding(pad_id=tokenizer.token_to_id(padding), pad_token=padding, pad_to_multiple_of=LENGTH_STEP)
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer
