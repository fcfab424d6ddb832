"""The words channel's tokenizers for the step `text_tokens`, and what it puts before each text for the model."""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import Tokenizer
from transformers import AutoTokenizer

from networks.served import Parts
from networks.words import e5
from networks.words.origin import is_ours
from triptych.errors import TriptychError
from triptych.serving.settings import FILE as SETTINGS_FILE
from triptych.words.text import LENGTH_STEP, MAX_TOKENS, PREFIX, PREFIX_SETTING

FILE = "tokenizer.json"
OLDER = ("vocab.txt", "vocab.json", "sentencepiece.bpe.model")
"""What older checkpoints of BERT, RoBERTa and XLM-RoBERTa have in its place."""


def of_e5(encoder: Path) -> Parts:
    """Return the tokenizer of multilingual-e5-small."""
    return parts(e5.load_tokenizer(encoder), PREFIX)


def of_checkpoint(folder: Path) -> Parts:
    """Return the tokenizer of a published words model, which reads texts as they are.

    One that `triptych train words --init` made was trained on texts behind e5's prefix.
    """
    return parts(load_published(folder), PREFIX if is_ours(folder) else "")


def parts(tokenizer: Tokenizer, prefix: str) -> Parts:
    """Return the files of the step for a model that was trained on texts behind this prefix."""
    return {FILE: tokenizer.to_str(), SETTINGS_FILE: json.dumps({PREFIX_SETTING: prefix}, indent=2) + "\n"}


def load_published(folder: Path) -> Tokenizer:
    """Return the tokenizer of a checkpoint, padding and truncating as `triptych.words.text` says.

    TriptychError when the folder has none, it has no padding token, or tokens that the model has not.
    """
    tokenizer = _read(folder)
    padding = next((token for token in ("<pad>", "[PAD]") if tokenizer.token_to_id(token) is not None), None)
    if padding is None:
        raise TriptychError(f"the tokenizer in {folder} has neither <pad> nor [PAD]")
    _check_vocabulary(tokenizer, folder)
    tokenizer.enable_padding(pad_id=tokenizer.token_to_id(padding), pad_token=padding, pad_to_multiple_of=LENGTH_STEP)
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer


def _read(folder: Path) -> Tokenizer:
    """Read tokenizer.json, or let transformers make one of an older vocabulary."""
    remedy = "save the checkpoint with a fast tokenizer"
    if not any((folder / name).is_file() for name in (FILE, *OLDER)):
        raise TriptychError(f"there is no {FILE} in {folder}, nor {', '.join(OLDER)}: {remedy}")
    try:
        if (folder / FILE).is_file():
            return Tokenizer.from_file(str(folder / FILE))
        return AutoTokenizer.from_pretrained(folder, local_files_only=True).backend_tokenizer
    except Exception as error:  # that of tokenizers is a plain Exception
        raise TriptychError(f"cannot read the tokenizer in {folder}: {error}. Fetch it again, or {remedy}") from error


def _check_vocabulary(tokenizer: Tokenizer, folder: Path) -> None:
    """TriptychError when the tokenizer has tokens beyond the embeddings of the model: it is another model's."""
    try:
        rows = int(json.loads((folder / "config.json").read_text(encoding="utf-8"))["vocab_size"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TriptychError(f"config.json in {folder} does not say how many tokens the model has: {error!r}") from error
    if tokenizer.get_vocab_size() > rows:
        raise TriptychError(
            f"the tokenizer in {folder} has {tokenizer.get_vocab_size()} tokens, and the model {rows}: it is another's"
        )
