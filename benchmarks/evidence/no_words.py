"""Does anybody speak where nobody does?"""

from __future__ import annotations

from benchmarks.bars import Bar
from benchmarks.evidence import sounds
from benchmarks.evidence.check import Bench, Check

SHARE = 2.0
CONFIDENCE = 0.5


def measure(bench: Bench) -> list[Bar]:
    """Ask for the words of sounds without speech; print those that got some."""
    inputs, wordy, voiced, confidences = 0, 0, 0, [0.0]
    for name, pcm in sounds.without_speech(bench.data):
        answer = bench.hear(pcm)
        said = answer.transcript.utterances
        inputs += 1
        wordy += bool(said)
        voiced += any(answer.channels[channel].status == "ok" for channel in ("voice", "words"))
        confidences += [utterance.confidence or 0.0 for utterance in said]
        if said:
            print(f"{name}: {answer.transcript.text!r} {[utterance.confidence for utterance in said]}", flush=True)
    return [
        Bar(f"of {inputs} sounds without speech, those with an utterance", 100 * wordy / inputs, SHARE, "%"),
        Bar("of the same, those with evidence of voice or words", 100 * voiced / inputs, SHARE, "%"),
        Bar("highest confidence of such an utterance", max(confidences), CONFIDENCE),
    ]


CHECK = Check("no words from no speech", measure)
