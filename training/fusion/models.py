"""The models of the model repository, run one by one as the ensemble runs them: what fusion learns from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort
from tokenizers import Tokenizer

from export import catalog, checkpoint
from export.fetch import fetch
from training.data.spoken import Spoken
from training.voice.trained_on import TrainedOn
from triptych.errors import TriptychError
from triptych.media import audio
from triptych.media.audio import Windows
from triptych.paths import CACHE
from triptych.serving import settings
from triptych.sound import mel
from triptych.words import text
from triptych_client.contract import CHANNELS, FACE_PX

Array = np.ndarray
STEPS = {"face": "expression", "sound": "sound_emotion", "voice": "voice_emotion", "words": "text_emotion"}
BATCH = 32


@dataclass(frozen=True)
class Models:
    """The exported models of a model repository."""

    repository: Path

    def entry(self, channel: str) -> str:
        """Return the catalogue entry in a channel's slot; TriptychError when nothing was exported or it is vacant."""
        line = self._lines.get(channel)
        if line is None or line["vacant"]:
            raise TriptychError(
                f"the {channel} channel has no model in {self.repository}: run `triptych export`, or set one with "
                f"`triptych export --set {channel}=NAME`"
            )
        return line["name"]

    def weights(self, channel: str) -> str:
        """Return what tells the weights of a channel's model from others of its name; "" for those of packages."""
        own = catalog.load()[self.entry(channel)].weights
        return self._lines[channel].get("source_sha256") or (own.sha256 if own else "")

    def digest(self, channel: str) -> str:
        """Return what tells the channel's evidence from that of other models: the sha256 of all models in its way."""
        roles = {"sound": ("audio_tags", "sound"), "voice": ("speech_detection", "voice")}.get(channel, (channel,))
        return "".join(self._lines[role]["sha256"][:12] for role in roles if role in self._lines)

    def voice_trained_on(self) -> TrainedOn | None:
        """Return whose voices the voice model was trained on; None when nothing beside its weights says so.

        TriptychError when its checkpoint is not what was exported, or not there any more.
        """
        source = self._lines["voice"].get("source")
        if not source:
            entry = catalog.load()[self.entry("voice")]
            return TrainedOn.read(fetch(entry, CACHE)) if entry.weights else None
        folder = checkpoint.fetch(source)
        if checkpoint.digest(folder) != self._lines["voice"]["source_sha256"]:
            raise TriptychError(f"{folder} has changed since it was exported: run `triptych export` again")
        return TrainedOn.read(folder)

    @property
    def languages(self) -> tuple[str, ...]:
        """Those that the words model knows; any when empty."""
        return tuple(self._lines["words"].get("languages", ()))

    def faces(self, images: Array, tracks: Array, times_ms: Array) -> Array:
        """Return logits [m, 7] of grey faces u8 [m, side, side], those of one track together and in order of time."""
        session = self._session("expression")
        positions = np.stack([tracks, times_ms], axis=1).astype(np.int64)
        grown = [cv2.resize(image, (FACE_PX, FACE_PX), interpolation=cv2.INTER_CUBIC) for image in images]
        feeds = {"FACES": np.repeat(np.stack(grown)[..., None], 3, axis=3), "TRACK_POSITIONS": positions}
        return _run(session, feeds, "LOGITS")

    def sounds(self, pcm: Array) -> tuple[Array, Array, Array]:
        """Return spans [p, 2], tags [p, classes] and logits [p, 7] of the sound windows of pcm [samples]."""
        samples = settings.read_int(self.repository / "audio_decode" / "1", "sound_window_samples")
        windows, spans = audio.sound_windows(pcm, samples)
        features = np.stack([self._sound_features(window) for window in windows])
        tags = _run(self._session("sound_tagger"), {"FEATURES": features}, "TAGS")
        return spans, tags, _run(self._session("sound_emotion"), {"TAGS": tags}, "LOGITS")

    def voice(self, windows: Array) -> Array:
        """Return logits [w, 7] of windows of sound [w, 48000]."""
        kind = settings.read_text(self.repository / "voice_features" / "1", "features")
        features = np.stack([mel.FEATURES[kind](window) for window in windows])
        return _run(self._session("voice_emotion"), {"FEATURES": features}, "LOGITS")

    def spoken(self, pcm: Array) -> tuple[Array, Windows]:
        """Return the speech in sound [samples], seconds [v, 2], and the windows that the voice model hears of it."""
        return self._spoken.cut(pcm)

    def words(self, texts: Sequence[str]) -> Array:
        """Return logits [n, 7] of texts."""
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        logits = np.zeros((len(texts), 7), np.float32)
        prefix = settings.read_text(self.repository / "text_tokens" / "1", text.PREFIX_SETTING)
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            ids, mask = text.tokenize(self._tokenizer, [texts[row] for row in rows], prefix)
            feeds = {"INPUT_IDS": ids, "ATTENTION_MASK": mask}
            logits[rows] = _run(self._session("text_emotion"), feeds, "LOGITS")
        return logits

    def _sound_features(self, window: Array) -> Array:
        kind = settings.read_text(self.repository / "sound_features" / "1", "features")
        return mel.FEATURES[kind](window)

    @cached_property
    def _lines(self) -> dict[str, dict]:
        path = self.repository / "fusion" / "1" / "models.json"
        if not path.is_file():
            raise TriptychError(f"there is no {path}: run `triptych export` first")
        return {line["role"]: line for line in json.loads(path.read_text(encoding="utf-8")) if line["role"]}

    @cached_property
    def _spoken(self) -> Spoken:
        return Spoken(self.repository)

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        return Tokenizer.from_file(str(self.repository / "text_tokens" / "1" / "tokenizer.json"))

    @cached_property
    def _sessions(self) -> dict[str, ort.InferenceSession]:
        return {}

    def _session(self, step: str) -> ort.InferenceSession:
        if step not in self._sessions:
            options = ort.SessionOptions()
            options.intra_op_num_threads = 0
            path = self.repository / step / "1" / "model.onnx"
            self._sessions[step] = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return self._sessions[step]


def _run(session: ort.InferenceSession, feeds: dict[str, Array], output: str) -> Array:
    """Return one output for feeds of any number of rows; inputs that the graph leaves unused are left out."""
    names = [node.name for node in session.get_inputs()]
    count = len(next(iter(feeds.values())))
    parts = [
        session.run([output], {name: feeds[name][start : start + BATCH] for name in names})[0]
        for start in range(0, count, BATCH)
    ]
    return np.concatenate([np.asarray(part) for part in parts])


assert set(STEPS) == set(CHANNELS)
