"""How much noise does the voice channel bear? Clips of speakers that a model never heard, with noise added.

python -m benchmarks.voice_noise --data DIR --run DIR

--data holds speech/; --run is the folder that `triptych train voice` wrote, with the models of its five folds. Noise is
added to the waveform at a ratio of mean powers: white, or the babble of eight clips of other speakers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from benchmarks.measure import publish, table
from networks.voice.spectrogram_cnn import VoiceCnn
from training.data.speech import Recording, fill_window, recordings, windows
from training.metrics import Interval, score
from training.voice import spectrogram_cnn
from triptych_client.contract import EMOTIONS

RATIOS_DB = (20, 10, 5, 0)
BABBLERS = 8

Noise = Callable[[Recording, int, np.random.Generator], np.ndarray]
"""(clip, samples, random numbers) -> float32 [samples] of any power."""


def main(data: Annotated[Path, typer.Option()], run: Annotated[Path, typer.Option()]) -> None:
    """Measure the recall of held-out clips under each noise."""
    models = spectrogram_cnn.load_folds(run)
    clips = list(recordings(data))
    noises: dict[str, Noise] = {"white": white, "babble": Babble(clips)}
    clean = _cell(recall(clips, models))
    rows = [
        (name, clean, *(_cell(recall(add_noise(clips, noise, ratio), models)) for ratio in RATIOS_DB))
        for name, noise in noises.items()
    ]
    header = ("noise", "clean", *(f"{ratio} dB" for ratio in RATIOS_DB))
    caption = "Unweighted average recall over seven emotions (95 % interval over speakers), cross-validated."
    command = "python -m benchmarks.voice_noise --data DIR --run DIR"
    publish("voice_noise", command, f"{caption}\n\n{table(header, rows)}")


def recall(clips: Iterable[Recording], models: Sequence[VoiceCnn]) -> Interval:
    """Return the unweighted average recall of clips, each by the model that never heard its speaker."""
    speech = windows(clips)
    logits = np.zeros((len(speech.labels), len(EMOTIONS)), np.float32)
    with torch.inference_mode():
        folds = spectrogram_cnn.folds(speech, spectrogram_cnn.SETTINGS.seed)
        for model, (_, held_out) in zip(models, folds, strict=True):
            logits[held_out] = spectrogram_cnn.predict(model, speech.choose(held_out))
    return score(speech.labels, logits, speech.speakers).balanced_accuracy


def add_noise(clips: Sequence[Recording], noise: Noise, ratio_db: float) -> Iterator[Recording]:
    """Yield each clip, filled up to a window, with noise `ratio_db` below the clip's mean power."""
    for number, clip in enumerate(clips):
        filled = fill_window(clip.pcm)
        added = noise(clip, len(filled), np.random.default_rng(number))
        gain = np.sqrt(power(clip.pcm) / power(added) / 10 ** (ratio_db / 10))
        yield replace(clip, pcm=(filled + gain * added).astype(np.float32))


def power(pcm: np.ndarray) -> float:
    """Return the mean square of samples."""
    return float(np.mean(np.square(pcm, dtype=np.float64)))


def white(_clip: Recording, samples: int, random: np.random.Generator) -> np.ndarray:
    """Return white noise."""
    return random.standard_normal(samples, np.float32)


class Babble:
    """Several clips of other speakers at once, equally loud, each from a random place on and repeated."""

    def __init__(self, clips: Sequence[Recording]) -> None:
        self.clips = clips

    def __call__(self, clip: Recording, samples: int, random: np.random.Generator) -> np.ndarray:
        """Return babble around `clip`; the voice of its speaker is not in it."""
        others = [other.pcm for other in self.clips if other.speaker != clip.speaker]
        drawn = [others[number] for number in random.choice(len(others), BABBLERS, replace=False)]
        turned = (np.roll(pcm, random.integers(len(pcm))) / np.sqrt(power(pcm)) for pcm in drawn)
        return np.sum([np.resize(pcm, samples) for pcm in turned], axis=0)


def _cell(interval: Interval) -> str:
    return f"{interval.value:.3f} ({interval.low:.3f} to {interval.high:.3f})"


if __name__ == "__main__":
    typer.run(main)
