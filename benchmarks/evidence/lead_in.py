"""Does silence before or after speech change when it is said, or what is expressed?"""

from __future__ import annotations

import numpy as np

from benchmarks.bars import Bar
from benchmarks.evidence import sounds
from benchmarks.evidence.check import Bench, Check, silence
from triptych_client import Analysis

BEFORE_S, AFTER_S = (3.0, 7.3, 12.0, 20.0), (5.0, 20.0)
RECORDINGS = 6
"""So many of those that are read, and as many that are acted."""
CHANGE = 0.05
LATE_S = 0.5


def measure(bench: Bench) -> list[Bar]:
    """Compare the answers for recordings with those for the same in silence."""
    spoken = sounds.with_speech(bench.data)
    chosen = [
        item for group in ("read", "acted") for item in [one for one in spoken if one.group == group][:RECORDINGS]
    ]
    changes, offsets, labels, clips = [], [], 0, 0
    for item in chosen:
        alone = bench.hear(item.pcm)
        for before_s, after_s in (
            *((before_s, 0.0) for before_s in BEFORE_S),
            *((0.0, after_s) for after_s in AFTER_S),
        ):
            answer = bench.hear(np.concatenate([silence(before_s), item.pcm, silence(after_s)]))
            clips += 1
            labels += answer.emotion.label == alone.emotion.label
            changes.append(_change(alone, answer))
            offsets.append(abs(_begin(answer) - before_s - _begin(alone)))
            if changes[-1] > CHANGE or offsets[-1] > LATE_S:
                print(f"{item.text[:40]!r} +{before_s} +{after_s}: {changes[-1]:.3f}, {offsets[-1]:.2f} s", flush=True)
    return [
        Bar(f"of {clips} clips with silence before or after, those with another emotion", clips - labels, 0),
        Bar("largest change of a probability in them", max(changes), CHANGE),
        Bar("of them, those with a change of more", sum(change > CHANGE for change in changes), 0),
        Bar("largest change of when the first word is said", max(offsets), LATE_S, "s"),
    ]


def _begin(answer: Analysis) -> float:
    said = answer.transcript.utterances
    return float(said[0].start_s) if said else float("inf")


def _change(one: Analysis, other: Analysis) -> float:
    there = other.emotion.probabilities
    return max(abs(share - there[label]) for label, share in one.emotion.probabilities.items())


CHECK = Check("silence before and after", measure)
