"""Does the level of a recording decide what is heard in it?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.bars import Bar
from benchmarks.evidence import media, sounds
from benchmarks.evidence.check import Bench, Check, flac
from triptych_client import Analysis

LEVELS_DB = (-55, -40, -30, -20, 20)
"""20 is beyond full scale, which floating point can hold; the others are below what was recorded."""
CLIPS = 20
KEPT = {-55: 0.75, -40: 0.9, -30: 1.0, -20: 1.0, 20: 1.0}
"""Share of the clips that are to keep what they had, at the least."""

Written = Callable[[np.ndarray], bytes]
WAYS: dict[str, tuple[Written, Sequence[int]]] = {
    "floating point": (media.mono, LEVELS_DB),
    "16 bits": (flac, (-30, -55)),
}
"""What the sound is kept in: of 16 bits, few are left of a clip at -55 dB."""


def measure(bench: Bench) -> list[Bar]:
    """Compare the answers for acted clips at other levels with those at their own."""
    spoken = [item.pcm for item in sounds.with_speech(bench.data) if item.group == "acted"][:CLIPS]
    own = [bench.hear(pcm) for pcm in spoken]
    bars = []
    for way, (written, levels) in WAYS.items():
        for decibels in levels:
            answers = [bench.analyze(written(_at(decibels, pcm))) for pcm in spoken]
            for what, tell in TOLD.items():
                pairs = [(tell(one), tell(other)) for one, other in zip(own, answers) if tell(one)]
                kept = sum(one == other for one, other in pairs)
                name = f"at {decibels:+} dB in {way}, of {len(pairs)} clips those that keep {what}"
                bars.append(Bar(name, kept, np.ceil(KEPT[decibels] * len(pairs)), at_least=True))
    return bars


def _at(decibels: float, pcm: np.ndarray) -> np.ndarray:
    return (pcm * 10 ** (decibels / 20)).astype(np.float32)


def _voice(answer: Analysis) -> str:
    shares = answer.channels["voice"].probabilities
    return max(shares, key=lambda label: shares[label]) if shares else ""


def words_of(answer: Analysis) -> str:
    """Return what was understood, without capitals and punctuation."""
    return " ".join("".join(c for c in answer.transcript.text.lower() if c.isalnum() or c == " ").split())


TOLD: dict[str, Callable[[Analysis], str]] = {
    "the emotion": lambda answer: answer.emotion.label,
    "the voice's emotion": _voice,
    "the words": words_of,
}

CHECK = Check("level", measure)
