"""Whisper's vocabularies in the form that openai/whisper keeps them, `*.tiktoken`, as tokenizers of `tokenizers`.

A file has a line for each token, its bytes in base64 and its rank; the special tokens follow, in the order of
`whisper/tokenizer.py` of openai/whisper (`get_encoding`).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers.convert_slow_tokenizer import bytes_to_unicode
from transformers.models.whisper.tokenization_whisper import LANGUAGES

from networks.whisper.loaded import END, NO_TIMESTAMPS, START, is_multilingual
from triptych.errors import TriptychError

MULTILINGUAL, ENGLISH = "multilingual.tiktoken", "gpt2.tiktoken"
AFTER_LANGUAGES = (
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    NO_TIMESTAMPS,
)
TIMESTAMPS = 1501
"""From 0.00 to 30.00 s."""
NEVER_SAID = ("<|transcribe|>", "<|translate|>", START, "<|startofprev|>", "<|startoflm|>", "<|nospeech|>")

SIGNS = (
    *'"#()*+/:;<=>@[\\]^_`{|}~「」『』',
    *("<<", ">>", "<<<", ">>>", "--", "---", "-(", "-[", "('", '("', "((", "))", "(((", ")))", "[[", "]]", "{{", "}}"),
    *("♪♪", "♪♪♪"),
)
"""What is written down of what is not said, as far as it is one token (`Tokenizer.non_speech_tokens` there)."""
NOTES = "♩♪♫♬♭♮♯"
"""These too, by the first of their tokens."""
DASH, QUOTE = " -", " '"
"""They begin what somebody else says; within a word they stay."""


def load(folder: Path, tokens: int) -> Tokenizer:
    """Return the tokenizer of a Whisper with so many tokens, from a folder with both vocabularies.

    TriptychError when no vocabulary of openai/whisper has so many.
    """
    ranks = _read(folder / (MULTILINGUAL if is_multilingual(tokens) else ENGLISH))
    languages = tokens - len(ranks) - len((END, START, *AFTER_LANGUAGES)) - TIMESTAMPS
    if not 0 < languages <= len(LANGUAGES):
        raise TriptychError(f"a Whisper of {tokens} tokens has none of the vocabularies that OpenAI published")
    letters = bytes_to_unicode()
    written = {token: "".join(letters[byte] for byte in token) for token in ranks}
    pairs = [(written[first], written[second]) for first, second in _merges(ranks)]
    tokenizer = Tokenizer(models.BPE({written[token]: rank for token, rank in ranks.items()}, pairs))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    named = [END, START, *(f"<|{language}|>" for language in [*LANGUAGES][:languages]), *AFTER_LANGUAGES]
    tokenizer.add_special_tokens([AddedToken(name, normalized=False, special=True) for name in named])
    return tokenizer


def never_said(tokenizer: Tokenizer) -> list[int]:
    """Return the tokens that are suppressed: of signs that stand for no speech, and the special ones of the prompt."""
    found = {_ids(tokenizer, text)[0] for text in (DASH, QUOTE)}
    for sign in (*SIGNS, *NOTES):
        for ids in (_ids(tokenizer, sign), _ids(tokenizer, f" {sign}")):
            if len(ids) == 1 or sign in NOTES:
                found.add(ids[0])
    special = tokenizer.get_vocab()
    return sorted({*found, *(special[name] for name in NEVER_SAID)})


def not_first(tokenizer: Tokenizer) -> list[int]:
    """Return the tokens that no text begins with: a blank, and the end."""
    return [*_ids(tokenizer, " "), tokenizer.get_vocab()[END]]


def _ids(tokenizer: Tokenizer, text: str) -> list[int]:
    return tokenizer.encode(text, add_special_tokens=False).ids


def _read(path: Path) -> dict[bytes, int]:
    """Return token -> rank; TriptychError when the file is not there or of another form."""
    try:
        lines = (line.split() for line in path.read_text(encoding="ascii").splitlines() if line)
        return {base64.b64decode(token): int(rank) for token, rank in lines}
    except (OSError, ValueError) as error:
        raise TriptychError(f"cannot read the vocabulary {path}: {error}") from error


def _merges(ranks: Mapping[bytes, int]) -> list[tuple[bytes, bytes]]:
    """Return the pairs that tokens are merged of, in order.

    The last pair that merging by rank makes of a token's bytes, before it makes the token itself.
    """
    longer = sorted((token for token in ranks if len(token) > 1), key=ranks.__getitem__)
    return [_halves(token, ranks) for token in longer]


def _halves(token: bytes, ranks: Mapping[bytes, int]) -> tuple[bytes, bytes]:
    parts = [token[place : place + 1] for place in range(len(token))]
    while len(parts) > 2:
        merged = [ranks.get(first + second, len(ranks)) for first, second in pairwise(parts)]
        place = merged.index(min(merged))
        parts[place : place + 2] = [parts[place] + parts[place + 1]]
    return parts[0], parts[1]
