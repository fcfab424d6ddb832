"""What does the speech detector let pass, alone and where the tagger has a say, and what does it cost?"""

from __future__ import annotations

import time

import numpy as np

from benchmarks.bars import Bar
from benchmarks.evidence import sounds
from benchmarks.evidence.check import Bench, Check
from benchmarks.served import session
from triptych.media import audio
from triptych.paths import MODEL_REPOSITORY
from triptych.sound import mel
from triptych.sound.detector import SpeechDetector
from triptych_client.contract import SAMPLE_RATE_HZ

TAKEN = 10.0
MISSED = 1.0
COST_S = 0.3
REPEATS = 5


def measure(bench: Bench) -> list[Bar]:
    """Count sounds without speech that are taken for speech, and recordings of speech that are not."""
    detector = SpeechDetector(MODEL_REPOSITORY / "speech_detector" / "1")
    tagger = session(MODEL_REPOSITORY / "sound_tagger" / "1" / "model.onnx")

    def detected(pcm: np.ndarray) -> tuple[bool, bool]:
        windows, spans = audio.sound_windows(pcm)
        (tags,) = tagger.run(["SPEECH_TAGS"], {"FEATURES": np.stack([mel.sound_log_mel(window) for window in windows])})
        alone = detector.detect(pcm, spans, np.full_like(tags, np.nan))
        return len(alone) > 0, len(detector.detect(pcm, spans, np.asarray(tags))) > 0

    nobody = np.array([detected(pcm) for _, pcm in sounds.without_speech(bench.data)])
    speech = np.array([detected(item.pcm) for item in sounds.with_speech(bench.data)])
    taken, missed = 100 * nobody.mean(axis=0), 100 * (1 - speech.mean(axis=0))
    return [
        Bar(
            f"of {len(nobody)} sounds without speech, taken for speech (alone: {taken[0]:.1f} %)", taken[1], TAKEN, "%"
        ),
        Bar(f"of {len(speech)} recordings of speech, none detected (alone: {missed[0]:.1f} %)", missed[1], MISSED, "%"),
        Bar("seconds of one core for 60 s of sound", _cost_s(detector), COST_S, "s"),
    ]


def _cost_s(detector: SpeechDetector) -> float:
    """Return the least processor time that detection takes."""
    minute = 0.1 * np.random.default_rng(0).normal(size=60 * SAMPLE_RATE_HZ).astype(np.float32)
    costs = []
    for _ in range(REPEATS):
        start = time.process_time()
        detector.detect(minute, np.zeros((0, 2)), np.zeros((0, 2), np.float32))
        costs.append(time.process_time() - start)
    return min(costs)


CHECK = Check("the speech detector", measure)
