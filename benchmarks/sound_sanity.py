"""Do sounds get the emotion that everyone hears in them, and do speech, music and silence claim none?

python -m benchmarks.sound_sanity [--data DIR]

By the names of classes; with --data also by ear: the labelled recordings of DIR/audio_tags, a synthesised quiet room,
and the acted speech of DIR/speech, of which the sound channel should make little: its emotion is in the voice.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import onnxruntime
import typer
from scipy.special import softmax

from benchmarks.measure import publish, table
from training.data import sounds as data_sounds
from training.data import speech
from triptych.media import audio
from triptych.paths import MODEL_REPOSITORY
from triptych.sound import mel, tags
from triptych_client.contract import EMOTIONS, SAMPLE_RATE_HZ

SOUNDS = (
    "Laughter",
    "Crying, sobbing",
    "Screaming",
    "Shout",
    "Gasp",
    "Applause",
    "Cheering",
    "Music",
    "Happy music",
    "Sad music",
    "Scary music",
    "Speech",
    "Silence",
    "Vehicle",
)
CERTAIN = 0.9
MAX_SECONDS = 60.0
QUIET_DB = -55.0
"""Of full scale: a quiet room, above what counts as no sound at all."""
EVERY = 6
"""Every so many clips of speech are heard: about 270."""


class Chain:
    """The sound channel as it is served: log-mel, tagger, matrix."""

    def __init__(self) -> None:
        self.tagger = onnxruntime.InferenceSession(MODEL_REPOSITORY / "sound_tagger" / "1" / "model.onnx")
        self.matrix = onnxruntime.InferenceSession(MODEL_REPOSITORY / "sound_emotion" / "1" / "model.onnx")
        path = MODEL_REPOSITORY / "sound_tagger" / "1" / "labels.txt"
        self.labels = path.read_text(encoding="utf-8").splitlines()

    def emotions(self, scores: np.ndarray) -> np.ndarray:
        """Return logits [p, 7] of tag probabilities [p, classes]."""
        (logits,) = self.matrix.run(["LOGITS"], {"TAGS": scores.astype(np.float32)})
        return np.asarray(logits)

    def listen(self, pcm: np.ndarray) -> tuple[str, np.ndarray]:
        """Return the strongest tags of a sound float32 [samples], in words, and its probabilities [7]."""
        windows, spans = audio.sound_windows(pcm)
        log_mel = np.stack([mel.sound_log_mel(window) for window in windows])
        (scores,) = self.tagger.run(["TAGS"], {"FEATURES": log_mel})
        heard = tags.strongest(np.asarray(scores), spans)
        names, strengths = [self.labels[index] for index in heard.classes], heard.scores
        heard = ", ".join(f"{name} {strength:.2f}" for name, strength in list(zip(names, strengths, strict=True))[:3])
        logits = np.average(self.emotions(np.asarray(scores)), axis=0, weights=spans[:, 1] - spans[:, 0])
        return heard, softmax(logits, axis=-1)


def main(data: Path | None = None) -> None:
    """Print and write the tables; those of recordings only with data."""
    chain = Chain()
    parts = [_by_name(chain)]
    command = "python -m benchmarks.sound_sanity"
    if data is not None:
        parts += [_by_ear(chain, data), _of_speech(chain, data)]
        command += " --data DIR"
    publish("sound_sanity", command, "\n\n".join(parts))


def _by_name(chain: Chain) -> str:
    scores = np.zeros((len(SOUNDS), len(chain.labels)))
    for row, name in enumerate(SOUNDS):
        scores[row, chain.labels.index(name)] = CERTAIN
    probabilities = softmax(chain.emotions(scores), axis=-1)
    rows = [(name, _best(p), *_percents(p)) for name, p in zip(SOUNDS, probabilities, strict=True)]
    return table((f"one tag, probability {CERTAIN}", "emotion", *EMOTIONS), rows)


def _by_ear(chain: Chain, data: Path) -> str:
    noise = np.random.default_rng(0).standard_normal(5 * SAMPLE_RATE_HZ).astype(np.float32)
    sounds = {"(a quiet room, synthesised)": 10 ** (QUIET_DB / 20) * noise}
    for path, label in data_sounds.labelled(data):
        sounds[f"{path.relative_to(data / data_sounds.FOLDER)}: {label}"] = audio.decode(
            path.read_bytes(), MAX_SECONDS
        ).pcm
    rows = []
    for name, pcm in sounds.items():
        heard, probabilities = chain.listen(pcm)
        rows.append((name, heard, _best(probabilities), *_percents(probabilities)))
    return table(("recording", "tags", "emotion", *EMOTIONS), rows)


def _of_speech(chain: Chain, data: Path) -> str:
    heard: dict[str, list[np.ndarray]] = {emotion: [] for emotion in EMOTIONS}
    for clip in islice(speech.recordings(data), 0, None, EVERY):
        heard[EMOTIONS[clip.label]].append(chain.listen(clip.pcm)[1])
    rows = []
    for emotion, found in heard.items():
        probabilities = np.stack(found)
        neutral = (probabilities.argmax(axis=1) == EMOTIONS.index("neutral")).mean()
        rows.append((emotion, len(found), f"{100 * neutral:.0f} %", *_percents(probabilities.mean(axis=0))))
    return table(("acted speech", "clips", "neutral is first", *(f"mean {name}" for name in EMOTIONS)), rows)


def _best(probabilities: np.ndarray) -> str:
    return EMOTIONS[int(probabilities.argmax())]


def _percents(probabilities: np.ndarray) -> list[str]:
    return [f"{100 * p:.0f} %" for p in probabilities]


if __name__ == "__main__":
    typer.run(main)
