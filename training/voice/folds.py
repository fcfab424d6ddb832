"""The models of a voice run's cross-validation, each of which answers for speakers that it never heard."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from networks import weights
from networks.voice.spectrogram_cnn import VoiceCnn
from networks.voice.whisper_states import Head
from training.voice import spectrogram_cnn, train_states, whisper_states
from training.voice.trained_on import TrainedOn, held_out_by
from triptych.errors import TriptychError
from triptych.sound import mel

Array = np.ndarray
Model = Callable[[Array], Array]
"""Windows of sound [w, 48000] -> logits [w, 7]."""


@dataclass(frozen=True)
class Folds:
    """The models, and by speaker the number of one that never heard them."""

    models: tuple[Model, ...]
    of_speaker: Mapping[str, int]

    @classmethod
    def of(cls, run: Path, speakers: Iterable[str]) -> Folds:
        """Read a run; TriptychError when it is not a finished one, or a speaker was heard by all of its models."""
        read = _states if network(run) == train_states.NETWORK else _cnn
        models, trained_on = read(run)
        return cls(tuple(models), held_out_by(trained_on, speakers))

    @staticmethod
    def files(run: Path) -> list[Path]:
        """Return what decides on the answers of a run."""
        if network(run) == train_states.NETWORK:
            folders = [spectrogram_cnn.fold_folder(run, number + 1) for number in range(spectrogram_cnn.FOLDS)]
            return [folder / weights.FILE for folder in (*folders, run)]
        return [*spectrogram_cnn.fold_files(run), run / weights.FILE]

    def voice(self, windows: Array, speaker: str) -> Array:
        """Return logits [w, 7] of windows [w, 48000] of a speaker, by a model that never heard them."""
        return self.models[self.of_speaker[speaker]](windows)


def network(run: Path) -> str:
    """Return the network that a run trained; TriptychError when the folder is none."""
    made = TrainedOn.read(run)
    if made is None:
        raise TriptychError(f"there is no trained_on.json in {run}: it takes the --out of a `triptych train voice`")
    return made.network


def _cnn(run: Path) -> tuple[list[Model], list[TrainedOn]]:
    folds = spectrogram_cnn.load_folds(run)
    temperature = weights.load(VoiceCnn(), run / weights.FILE)
    models = [_of_features(fold.model, mel.voice_log_mel, temperature) for fold in folds]
    return models, [fold.trained_on for fold in folds]


def _states(run: Path) -> tuple[list[Model], list[TrainedOn]]:
    states = whisper_states.encoder()
    temperature = weights.load(Head(), run / weights.FILE)
    folds = train_states.load_folds(run)
    models = [_of_features(torch.nn.Sequential(states, head), mel.whisper_log_mel, temperature) for head, _ in folds]
    return models, [trained_on for _, trained_on in folds]


def _of_features(model: torch.nn.Module, features: Callable[[Array], Array], temperature: float) -> Model:
    @torch.inference_mode()
    def logits(windows: Array) -> Array:
        heard = torch.from_numpy(np.stack([features(window) for window in windows]))
        return model(heard).numpy() / temperature

    return logits
