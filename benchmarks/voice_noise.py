"""How much noise does the voice channel bear? Clips of speakers that a model never heard, with noise added.

python -m benchmarks.voice_noise --data DIR --run DIR

--data holds speech/; --run is what `triptych train voice --model spectrogram-cnn` wrote, with its five folds. Noise is
added to the waveform at a ratio of mean powers: white, or the babble of eight clips of other speakers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.measure import publish, table
from training.data.noise import mix, power
from training.data.speech import Recording, fill_window, recordings, windows
from training.metrics import Interval, score
from training.voice import spectrogram_cnn
from training.voice.spectrogram_cnn import Fold

RATIOS_DB = (20, 10, 5, 0)
BABBLERS = 8

Noise = Callable[[Recording, int, np.random.Generator], np.ndarray]
"""(clip, samples, random numbers) -> float32 [samples] of any power."""


def main(data: Annotated[Path, typer.Option()], run: Annotated[Path, typer.Option()]) -> None:
    """Measure the recall of held-out clips under each noise."""
    folds = spectrogram_cnn.load_folds(run)
    clips = list(recordings(data))
    noises: dict[str, Noise] = {"white": white, "babble": Babble(clips)}
    clean = recall(clips, folds)
    rows = [
        (name, clean, *(recall(add_noise(clips, noise, ratio), folds) for ratio in RATIOS_DB))
        for name, noise in noises.items()
    ]
    header = ("noise", "clean", *(f"{ratio} dB" for ratio in RATIOS_DB))
    caption = "Unweighted average recall over seven emotions (95 % interval over speakers), cross-validated."
    command = "python -m benchmarks.voice_noise --data DIR --run DIR"
    publish("voice_noise", command, f"{caption}\n\n{table(header, rows)}")


def recall(clips: Iterable[Recording], folds: Sequence[Fold]) -> Interval:
    """Return the unweighted average recall of clips, each by the model that never heard its speaker."""
    speech = windows(clips)
    logits = spectrogram_cnn.predict_held_out(folds, speech)
    return score(speech.labels, logits, speech.speakers).balanced_accuracy


def add_noise(clips: Sequence[Recording], noise: Noise, ratio_db: float) -> Iterator[Recording]:
    """Yield each clip, filled up to a window, with noise `ratio_db` below the clip's mean power."""
    for number, clip in enumerate(clips):
        filled = fill_window(clip.pcm)
        added = noise(clip, len(filled), np.random.default_rng(number))
        yield replace(clip, pcm=mix(filled, added, ratio_db, reference=clip.pcm).astype(np.float32))


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


if __name__ == "__main__":
    typer.run(main)
