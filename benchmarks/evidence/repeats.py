"""Is what is said often heard as often, and a looping decoder not believed? Are both languages of a clip heard?"""

from __future__ import annotations

import numpy as np

from benchmarks.bars import Bar
from benchmarks.evidence import sounds
from benchmarks.evidence.check import Bench, Check, silence
from triptych.commands.demo_speech import synthesise
from triptych_client import Analysis
from triptych_client.contract import SAMPLE_RATE_HZ

TIMES = 12
PHRASE_S, PHRASES = 1.75, 8
LANGUAGES = (("jfk", "ds_ru"), ("ds_ru", "jfk"))
"""Recordings of asr/, one after the other with a second between."""


def measure(bench: Bench) -> list[Bar]:
    """Count what was said often; look for the words of each language."""
    cry = np.concatenate([synthesise("Help me!", "en-us", 150), silence(0.4)])
    help_me = bench.hear(np.tile(cry, TIMES))
    phrase = _recording(bench, "jfk")[: round(PHRASE_S * SAMPLE_RATE_HZ)]
    fellow = bench.hear(np.tile(phrase, PHRASES))
    mixed = [
        bench.hear(np.concatenate([_recording(bench, one), silence(1), _recording(bench, two)]))
        for one, two in LANGUAGES
    ]
    for answer in (help_me, fellow, *mixed):
        print(
            [(said.start_s, said.end_s, said.text, said.language) for said in answer.transcript.utterances], flush=True
        )
    return [
        Bar(f'"Help me!" {TIMES} times: how often it is heard', _count(help_me, "help"), TIMES - 1, at_least=True),
        Bar(
            "seconds from the first to the last of it that are in utterances",
            _share(help_me, TIMES * len(cry)),
            90,
            "%",
            at_least=True,
        ),
        Bar(
            f"a phrase {PHRASES} times without a pause: how often it is heard too much",
            _count(fellow, "fellow") - PHRASES,
            0,
        ),
        Bar("the same: how often it is heard", _count(fellow, "fellow"), PHRASES // 2, at_least=True),
        Bar(
            "of two clips in two languages, those with words of both", sum(map(_both, mixed)), len(mixed), at_least=True
        ),
    ]


def _recording(bench: Bench, name: str) -> np.ndarray:
    return sounds.decode(bench.data / "asr" / "flac" / f"{name}.flac")


def _count(answer: Analysis, word: str) -> int:
    return answer.transcript.text.lower().count(word)


def _share(answer: Analysis, samples: int) -> float:
    said = answer.transcript.utterances
    return 100 * (said[-1].end_s - said[0].start_s) * SAMPLE_RATE_HZ / samples if said else 0.0


def _both(answer: Analysis) -> bool:
    text = answer.transcript.text
    return "country" in text and any("а" <= letter <= "я" for letter in text.lower())


CHECK = Check("said often", measure)
