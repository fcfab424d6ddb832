"""Do sounds get the emotion that everyone hears in them? Rows of the tag matrix, and real recordings.

python -m benchmarks.sound_sanity [--data DIR]

DIR holds sound files, in folders of any depth.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import typer

from benchmarks.measure import publish, table
from triptych import audio, evidence, mel, tags
from triptych.fusion import softmax
from triptych.server import MODEL_REPOSITORY
from triptych_client.contract import EMOTIONS

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
SUFFIXES = (".wav", ".flac", ".mp3", ".ogg")
CERTAIN = 0.9
MAX_SECONDS = 60.0


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

    def listen(self, path: Path) -> tuple[str, np.ndarray]:
        """Return a file's strongest tags in words, and its probabilities [7]."""
        sound = audio.decode(path.read_bytes(), MAX_SECONDS)
        windows, spans = audio.sound_windows(sound.pcm)
        log_mel = np.stack([mel.sound_log_mel(window) for window in windows])
        (scores,) = self.tagger.run(["TAGS"], {"FEATURES": log_mel})
        names, strengths = tags.strongest(np.asarray(scores), spans, self.labels)
        heard = ", ".join(f"{name} {strength:.2f}" for name, strength in list(zip(names, strengths, strict=True))[:3])
        return heard, softmax(evidence.windows(sound.status, spans, self.emotions(np.asarray(scores))).summary())


def main(data: Path | None = None) -> None:
    """Print and write both tables; the second only with recordings."""
    chain = Chain()
    parts = [_by_name(chain)]
    command = "python -m benchmarks.sound_sanity"
    if data is not None:
        parts.append(_by_ear(chain, data))
        command += " --data DIR"
    publish("sound_sanity", command, "\n\n".join(parts))


def _by_name(chain: Chain) -> str:
    scores = np.zeros((len(SOUNDS), len(chain.labels)))
    for row, name in enumerate(SOUNDS):
        scores[row, chain.labels.index(name)] = CERTAIN
    probabilities = softmax(chain.emotions(scores))
    rows = [(name, _best(p), *_percents(p)) for name, p in zip(SOUNDS, probabilities, strict=True)]
    return table((f"one tag, probability {CERTAIN}", "emotion", *EMOTIONS), rows)


def _by_ear(chain: Chain, data: Path) -> str:
    rows = []
    for path in sorted(path for path in data.rglob("*") if path.suffix in SUFFIXES):
        heard, probabilities = chain.listen(path)
        rows.append((path.relative_to(data), heard, _best(probabilities), *_percents(probabilities)))
    return table(("recording", "tags", "emotion", *EMOTIONS), rows)


def _best(probabilities: np.ndarray) -> str:
    return EMOTIONS[int(probabilities.argmax())]


def _percents(probabilities: np.ndarray) -> list[str]:
    return [f"{100 * p:.0f} %" for p in probabilities]


if __name__ == "__main__":
    typer.run(main)
