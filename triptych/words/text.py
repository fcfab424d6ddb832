"""Utterances as the text model reads them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tokenizers import Tokenizer

from triptych_client import contract

PREFIX = "query: "
"""What e5 was trained to see before a text that is compared with others (Wang et al. 2024, section 4)."""
PREFIX_SETTING = "prefix"
"""What comes before each text, in settings.json of the step `text_tokens`: PREFIX, or nothing for a model that was not
trained behind it."""
MAX_TOKENS = 128
"""Longer texts lose their end; an utterance is at most 30 s of speech, about 100 words."""
LENGTH_STEP = 16
"""Lengths are padded up to a multiple of this, so that the dynamic batcher finds requests of the same shape."""


MAX_UTTERANCES = contract.STEPS["text_emotion"].max_batch_size
"""More than one a second in the longest clip; what is beyond is left out, here and in the answer."""


def flatten(utterances: np.ndarray) -> np.ndarray:
    """Return where the utterances are in UTTERANCES [c, s] (bytes or str): positions [u] in its flattened order.

    Blank cells are padding. Whatever belongs to an utterance is taken with `x.reshape(c * s, ...)[positions]`.
    """
    spoken = [position for position, cell in enumerate(utterances.ravel().tolist()) if _text(cell).strip()]
    return np.array(spoken[:MAX_UTTERANCES], dtype=np.intp)


def texts(utterances: np.ndarray) -> list[str]:
    """Return the utterances of UTTERANCES [c, s] as text, in order."""
    return [_text(cell) for cell in utterances.ravel()[flatten(utterances)].tolist()]


def tokenize(tokenizer: Tokenizer, texts: Sequence[str], prefix: str = PREFIX) -> tuple[np.ndarray, np.ndarray]:
    """Return ids and attention mask, int64 [u, length], of texts behind a prefix; without any, those of one blank text.

    The tokenizer pads and truncates as it was exported to: to a multiple of 16 tokens, at 128.
    """
    encodings = tokenizer.encode_batch([prefix + text for text in texts or [""]])
    ids = np.array([encoding.ids for encoding in encodings], dtype=np.int64)
    mask = np.array([encoding.attention_mask for encoding in encodings], dtype=np.int64)
    return ids, mask


def _text(cell: bytes | str) -> str:
    return cell.decode("utf-8", errors="replace") if isinstance(cell, bytes) else cell
