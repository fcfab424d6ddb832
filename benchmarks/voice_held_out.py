"""The spectrogram CNN on voices that it never heard: the models of the cross-validation's folds, each on its own part.

The published model has heard every speaker of the data, so it cannot be measured on them. Noise: `voice_noise`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from networks.voice.spectrogram_cnn import VoiceCnn
from training.data import speech as data_speech
from training.data.speech import Speech
from training.metrics import Scores, score
from training.voice import spectrogram_cnn
from triptych_client.contract import EMOTIONS

PIECE_FRAMES = 50
"""Half a second."""


def conditions(data: Path, run: Path) -> dict[str, list[Scores]]:
    """Return the scores of the folds' models in `run`, the --out of `triptych train voice`, by condition.

    TriptychError when the run is not finished or the data not there.
    """
    models, speech = spectrogram_cnn.load_folds(run), data_speech.load(data)
    return {
        "voices never heard": [held_out(speech, models)],
        "the same, half seconds of each window in random order": [held_out(scrambled(speech), models)],
    }


def held_out(speech: Speech, models: Sequence[VoiceCnn]) -> Scores:
    """Return the scores over all clips, each answered by the model that did not learn from its speaker."""
    logits = np.zeros((len(speech.labels), len(EMOTIONS)), np.float32)
    with torch.inference_mode():
        for model, (_, held) in zip(models, spectrogram_cnn.folds(speech, spectrogram_cnn.SETTINGS.seed), strict=True):
            logits[held] = spectrogram_cnn.predict(model, speech.choose(held))
    return score(speech.labels, logits, speech.speakers)


def scrambled(speech: Speech) -> Speech:
    """Return the windows with their half seconds in random order: what lasts longer can no longer be heard."""
    generator = torch.Generator().manual_seed(0)
    pieces = speech.windows.unflatten(2, (-1, PIECE_FRAMES))
    order = torch.rand(pieces.shape[0], pieces.shape[2], generator=generator).argsort(1)
    moved = pieces.gather(2, order[:, None, :, None].expand_as(pieces))
    return replace(speech, windows=moved.flatten(2))
