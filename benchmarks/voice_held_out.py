"""The spectrogram CNN on voices that it never heard: the models of the cross-validation's folds, each on its own part.

The published model has heard every speaker of the data, so it cannot be measured on them. Noise: `voice_noise`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from training.data import speech as data_speech
from training.data.speech import SpeechWindows
from training.metrics import Scores, score
from training.voice import spectrogram_cnn
from training.voice.spectrogram_cnn import Fold

PIECE_FRAMES = 50
"""Half a second."""


def conditions(data: Path, run: Path) -> dict[str, list[Scores]]:
    """Return the scores of the folds' models in `run`, the --out of training the spectrogram CNN, by condition.

    TriptychError when the run is not finished or the data not there.
    """
    folds, speech = spectrogram_cnn.load_folds(run), data_speech.load(data)
    return {
        "voices never heard": [held_out(speech, folds)],
        "the same, half seconds of each window in random order": [held_out(scrambled(speech), folds)],
    }


def held_out(speech: SpeechWindows, folds: Sequence[Fold]) -> Scores:
    """Return the scores over all clips, each answered by a model that did not learn from its speaker."""
    return score(speech.labels, spectrogram_cnn.predict_held_out(folds, speech), speech.speakers)


def scrambled(speech: SpeechWindows) -> SpeechWindows:
    """Return the windows with their half seconds in random order: what lasts longer can no longer be heard."""
    generator = torch.Generator().manual_seed(0)
    pieces = speech.windows.unflatten(2, (-1, PIECE_FRAMES))
    order = torch.rand(pieces.shape[0], pieces.shape[2], generator=generator).argsort(1)
    moved = pieces.gather(2, order[:, None, :, None].expand_as(pieces))
    return replace(speech, windows=moved.flatten(2))
