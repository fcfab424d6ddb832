"""What a check is: a question, and a function from the bench to its bars."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from benchmarks.bars import Bar
from triptych_client import Analysis, Client
from triptych_client.contract import SAMPLE_RATE_HZ


@dataclass(frozen=True)
class Bench:
    """What checks work with: the data folder, and a server to ask."""

    data: Path
    client: Client

    def analyze(self, clip: bytes) -> Analysis:
        """Return the server's answer for the bytes of a clip."""
        return self.client.analyze(clip)

    def hear(self, pcm: np.ndarray) -> Analysis:
        """Return the server's answer for sound FP32 [samples], 16 kHz mono, alone."""
        return self.analyze(flac(pcm))


@dataclass(frozen=True)
class Check:
    """One question; `measure` answers it with bars."""

    name: str
    measure: Callable[[Bench], Sequence[Bar]]


def flac(pcm: np.ndarray) -> bytes:
    """Return sound FP32 [samples], 16 kHz mono in [-1, 1], as a FLAC file."""
    target = io.BytesIO()
    samples = np.rint(32767 * np.clip(pcm, -1, 1)).astype(np.int16)
    with av.open(target, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=SAMPLE_RATE_HZ, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE_HZ
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return target.getvalue()


def silence(seconds: float) -> np.ndarray:
    """Return digital silence FP32 [samples]."""
    return np.zeros(round(seconds * SAMPLE_RATE_HZ), np.float32)
