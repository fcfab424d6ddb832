"""The speech of a clip cut for the two models that hear nothing else: the speech recogniser and the voice model.

What lies between stretches of speech is given to neither: a recogniser writes words into it, and it is no voice. And
what they hear depends on where speech is, not on where the clip begins. Speech is sample numbers [v, 2] of the sound.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from triptych.media import audio
from triptych.media.audio import Windows
from triptych.sound.speech import stretches
from triptych_client.contract import CHUNK_PIECES, SAMPLE_RATE_HZ, VOICE_SAMPLES

MARGIN_SAMPLES = 9 * SAMPLE_RATE_HZ // 10
"""0.9 s around speech is heard with it. Soft beginnings and ends of words are there, and Whisper tells sentences apart
by the pauses: with 0.4 s it left no time between the lines of the demo clip, and made two of the last."""
SHORTENED_S = 2.0
"""Longer pauses are shortened to two margins: so stretches do not overlap, and 30 s hold less than the 32 of
CHUNK_PIECES."""


@dataclass(frozen=True)
class Chunks:
    """Speech cut for the recogniser: `pcm` FP32 [c, 480000], 0-padded, and what of the clip is in each.

    `pieces` FP32 [c, 32, 2] as CHUNK_PIECES of the contract. Without speech one row of zeros, without pieces.
    """

    pcm: np.ndarray
    pieces: np.ndarray


def chunks(pcm: np.ndarray, speech: np.ndarray) -> Chunks:
    """Put the stretches of speech in sound FP32 [samples] one after another, and cut them at pauses into 30 s."""
    heard = stretches(speech, SHORTENED_S) + np.array([-MARGIN_SAMPLES, MARGIN_SAMPLES])
    together = np.concatenate([_part(pcm, start, end) for start, end in heard.tolist()] or [pcm[:0]])
    cut = audio.chunks(together)
    pieces = np.full((len(cut.pcm), *CHUNK_PIECES.dims[1:]), np.nan, np.float32)
    for row, bounds in enumerate(np.rint(cut.spans.astype(np.float64) * SAMPLE_RATE_HZ).astype(int).tolist()):
        for place, piece in enumerate(_within(heard, *bounds)):
            pieces[row, place] = piece
    return Chunks(cut.pcm, pieces / np.float32(SAMPLE_RATE_HZ))


def voice_windows(pcm: np.ndarray, speech: np.ndarray) -> Windows:
    """Cut the speech in sound FP32 [samples] for the voice model: each stretch into windows of its own.

    Without speech one row of zeros.
    """
    cut = [_windows_of(pcm, *stretch) for stretch in stretches(speech).tolist()] or [audio.voice_windows(pcm[:0])]
    return Windows(*(np.concatenate(parts)[: audio.MAX_VOICE_WINDOWS] for parts in zip(*cut)))


def in_seconds(speech: np.ndarray) -> np.ndarray:
    """Return spans [v, 2] of samples as FP32 seconds of the clip."""
    return (speech / SAMPLE_RATE_HZ).astype(np.float32)


def _part(pcm: np.ndarray, start: int, end: int) -> np.ndarray:
    """Return the sound from one sample to another; silence is before the clip and after it.

    So a model hears the same, whether a clip begins with its first word or earlier.
    """
    before, after = max(-start, 0), max(end - len(pcm), 0)
    return np.pad(pcm[max(start, 0) : end], (before, after))


def _within(heard: np.ndarray, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Yield the parts of stretches [k, 2] that are the samples `first` to `last` of all of them put together."""
    before = 0
    for start, end in heard.tolist():
        here = max(first - before, 0), min(last - before, end - start)
        if here[0] < here[1]:
            yield start + here[0], start + here[1]
        before += end - start


def _windows_of(pcm: np.ndarray, start: int, end: int) -> Windows:
    """Cut a stretch of sound, widened to one window at least: on both sides alike."""
    missing = max(VOICE_SAMPLES - (end - start), 0)
    first, last = start - missing // 2, end + missing - missing // 2
    cut = audio.voice_windows(_part(pcm, first, last))
    return Windows(cut.pcm, cut.spans + np.float32(first / SAMPLE_RATE_HZ))
