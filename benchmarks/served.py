"""Models of the catalogue as they are served: their graphs on one thread, fed as the ensemble feeds them.

This module does without PyTorch: what a fresh process needs to run a graph is measured with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort
from tokenizers import Tokenizer

from triptych.media import audio
from triptych.paths import ROOT
from triptych.serving import settings
from triptych.sound import mel
from triptych.words import text
from triptych_client.contract import FACE_PX

BUILT = ROOT / "build" / "benchmarks"
STEPS = {
    "face": ("expression",),
    "voice": ("voice_features", "voice_emotion"),
    "tags": ("audio_decode", "sound_features", "sound_tagger"),
    "words": ("text_tokens", "text_emotion"),
}
"""The steps that change with a channel's model; the last one is the model."""
WORDS_BATCH = 32


Feeds = dict[str, np.ndarray]


@dataclass(frozen=True)
class Graph:
    """A catalogue entry exported for a channel into a model repository of its own, below build/benchmarks/."""

    slot: str
    entry: str

    @property
    def folder(self) -> Path:
        """The version folder of the model's step."""
        return self._step(STEPS[self.slot][-1])

    @property
    def path(self) -> Path:
        """The ONNX file."""
        return self.folder / "model.onnx"

    @cached_property
    def session(self) -> ort.InferenceSession:
        """The graph, loaded, on one thread."""
        return session(self.path)

    def answer(self, feeds: Feeds) -> np.ndarray:
        """Return LOGITS f32 [n, 7], or of a tagger TAGS f32 [n, classes]."""
        names = {node.name for node in self.session.get_inputs()}
        output = "TAGS" if self.slot == "tags" else "LOGITS"
        return np.asarray(self.session.run([output], {name: feeds[name] for name in names})[0])

    def hear(self, pcm: np.ndarray) -> Feeds:
        """Return the feeds of sound f32 [samples]: the windows that the model wants, and their features."""
        if self.slot == "voice":
            windows, _ = audio.voice_windows(pcm)
            kind = settings.read_text(self._step("voice_features"), "features")
        else:
            samples = settings.read_int(self._step("audio_decode"), "sound_window_samples")
            windows, _ = audio.sound_windows(pcm, samples)
            kind = settings.read_text(self._step("sound_features"), "features")
        return {"FEATURES": np.stack([mel.FEATURES[kind](window) for window in windows])}

    def read(self, texts: Sequence[str]) -> Feeds:
        """Return the feeds of texts, by the tokenizer that belongs to the model."""
        prefix = settings.read_text(self._step("text_tokens"), text.PREFIX_SETTING)
        ids, mask = text.tokenize(self._tokenizer, texts, prefix)
        return {"INPUT_IDS": ids, "ATTENTION_MASK": mask}

    def read_all(self, texts: Sequence[str]) -> np.ndarray:
        """Return LOGITS f32 [n, 7] of any number of texts, those of like length together."""
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        parts = [order[start : start + WORDS_BATCH] for start in range(0, len(order), WORDS_BATCH)]
        logits = np.concatenate([self.answer(self.read([texts[row] for row in part])) for part in parts])
        return logits[np.argsort(order)]

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        return Tokenizer.from_file(str(self._step("text_tokens") / "tokenizer.json"))

    def _step(self, step: str) -> Path:
        return BUILT / self.entry / step / "1"


def look(images: np.ndarray, positions: np.ndarray) -> Feeds:
    """Return the feeds of grey faces u8 [m, 48, 48] and their TRACK_POSITIONS int64 [m, 2]."""
    grown = [cv2.resize(image, (FACE_PX, FACE_PX), interpolation=cv2.INTER_CUBIC) for image in images]
    return {"FACES": np.repeat(np.stack(grown)[..., None], 3, axis=3), "TRACK_POSITIONS": positions}


def session(path: Path) -> ort.InferenceSession:
    """Load a graph on one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def run_once(graph: str, feeds: str) -> None:
    """Load a graph and run it twice on the arrays of an .npz file: the second run shows what the arena keeps."""
    loaded = session(Path(graph))
    arrays: Mapping[str, np.ndarray] = np.load(feeds)
    for _ in range(2):
        loaded.run(None, {node.name: arrays[node.name] for node in loaded.get_inputs()})
