"""Are the words of speech still heard, read, acted, shouted, whispered and among others who talk?

What is compared with was measured by this check at commit 62b6c0b, before there was a speech detector: copy this
package there and ask for this check only. Sets that are not in BEFORE were not measured then, and their bar is not met.
"""

from __future__ import annotations

import itertools
import math
from operator import attrgetter

import jiwer
from transformers.models.whisper.english_normalizer import BasicTextNormalizer

from benchmarks.bars import Bar
from benchmarks.evidence import sounds
from benchmarks.evidence.check import Bench, Check
from benchmarks.whisper_wer import NORMALIZERS

BEFORE = {"read": 3.77, "acted": 0.0}
"""Word error rate in percent by set of recordings."""
WORSE = 0.3


def measure(bench: Bench) -> list[Bar]:
    """Count the wrong words of each set of recordings."""
    bars = []
    for group, items in itertools.groupby(sounds.with_speech(bench.data), attrgetter("group")):
        texts = []
        for item in items:
            normalize = NORMALIZERS.get(item.language, BasicTextNormalizer())
            texts.append((normalize(item.text), normalize(bench.hear(item.pcm).transcript.text)))
        said, heard = map(list, zip(*texts, strict=True))
        rate = 100 * jiwer.wer(said, heard)
        unheard = sum(not text for text in heard)
        print(f"{group}: {len(said)} recordings, WER {rate:.2f} %, {unheard} without a word", flush=True)
        bars.append(
            Bar(
                f"wrong words, {group}: {rate:.1f} % of {len(said)} recordings; more than before",
                rate - BEFORE.get(group, math.nan),
                WORSE,
                "points",
            )
        )
    return bars


CHECK = Check("words of speech", measure)
