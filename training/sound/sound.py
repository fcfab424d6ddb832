"""`triptych train sound`: chooses the constants of the tag comparison, and writes them with their card.

See `training.sound.choice` for how they are chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np
import onnxruntime
import typer
from scipy.special import softmax

from export import catalog, onnx
from export.fetch import fetch
from networks.sound import labels
from networks.sound import yamnet as sound_tagger
from networks.sound.comparison import METHOD_FILE
from networks.words.e5 import Embedder
from training.card import CARD, render
from training.data import sounds as data_sounds
from training.data.sounds import KINDS, TaggedSound
from training.metrics import RESAMPLES, Interval, calibration_gap
from training.sound.choice import GRID, Grid, Trial, choose, divergences, kind_means, kinds, targets, trials
from triptych.files import write_text
from triptych.paths import CACHE
from triptych_client.contract import EMOTIONS

Array = np.ndarray


@dataclass(frozen=True)
class Result:
    """Answers to all sounds: logits [n, 7], and what was expected [n, 7]."""

    logits: Array
    expected: Array

    def agreement(self, rows: Array) -> float:
        """Return how often the answer's emotion is the expected one."""
        return float((self.logits[rows].argmax(1) == self.expected[rows].argmax(1)).mean())

    def divergence(self, rows: Array) -> float:
        """Return the mean divergence in nats."""
        return float(divergences(self.logits[rows], self.expected[rows]).mean())

    def calibration_error(self, rows: Array) -> float:
        """Return the expected calibration error: an answer is right by the share that is expected of its emotion."""
        probabilities = softmax(self.logits[rows], axis=1)
        best = probabilities.argmax(1)
        return calibration_gap(probabilities.max(1), self.expected[rows, best])


def train_sound(data: Path, out: Path, grid: Grid = GRID) -> None:
    """Choose the constants, points of `grid`, on the sounds in `data`; method.json and the card go to `out`."""
    yamnet, e5 = (fetch(catalog.load()[name], CACHE) for name in ("yamnet", "multilingual-e5-small"))
    classes = labels.of_yamnet(yamnet)
    sounds = [*data_sounds.recorded(data, tagger(yamnet)), *data_sounds.named(classes)]
    tried = list(trials(sounds, classes, Embedder(e5), grid))
    chosen, left_out = choose(tried, sounds)
    page = card(sounds, tried, chosen, left_out, grid)
    typer.echo(page)
    write({METHOD_FILE: chosen.method.dump(), CARD: page}, out)


def write(texts: Mapping[str, str], folder: Path) -> None:
    """Write files by name; TriptychError when one cannot be written, with the old one kept."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        write_text(folder / name, text)


def tagger(source: Path) -> onnxruntime.InferenceSession:
    """Return YAMNet as it is exported."""
    graph = sound_tagger.build(sound_tagger.load_quantised(source), labels.of_yamnet(source))
    return onnxruntime.InferenceSession(onnx.checked(graph).SerializeToString())


def card(sounds: Sequence[TaggedSound], tried: Sequence[Trial], chosen: Trial, left_out: Array, grid: Grid) -> str:
    """Return the model card: method, choice, results, limits."""
    expected = targets(sounds)
    plain = replace(chosen.method, temperature=1.0)
    results = {
        "temperature 1": Result(next(trial.logits for trial in tried if trial.method == plain), expected),
        "as chosen": Result(chosen.logits, expected),
        "its kind left out of the choice": Result(left_out, expected),
    }
    return render(
        "sound/card.md",
        constants=_constants(sounds, tried, chosen, grid),
        scores=_scores(sounds, results),
        kinds=_by_kind(sounds, chosen, Result(left_out, expected)),
    )


def _constants(
    sounds: Sequence[TaggedSound], tried: Sequence[Trial], chosen: Trial, grid: Grid
) -> Iterator[tuple[str, str, str]]:
    """Yield each constant, its value, and how well its other values do."""
    criteria = np.array([kind_means(trial.divergences, sounds).mean() for trial in tried])
    for option in fields(grid):
        given = np.array([getattr(trial.method, option.name) for trial in tried])
        values = getattr(grid, option.name)
        least = "; ".join(f"{_shown(value)}: {criteria[given == value].min():.4f}" for value in values)
        yield option.name, _shown(getattr(chosen.method, option.name)), least
    for name in sorted(asdict(chosen.method).keys() - {option.name for option in fields(grid)}):
        yield name, f"{getattr(chosen.method, name):.3f}", "follows from the expectations"


def _shown(value: object) -> str:
    return f"`{value.strip()}`" if isinstance(value, str) else str(value)


def _scores(sounds: Sequence[TaggedSound], results: dict[str, Result]) -> Iterator[tuple[object, ...]]:
    recorded = np.array([sound.recorded for sound in sounds])
    groups = {"recordings": np.flatnonzero(recorded), "names alone": np.flatnonzero(~recorded)}
    for group, rows in groups.items():
        for name, result in results.items():
            scores = (result.agreement, result.divergence, result.calibration_error)
            yield f"{group} ({len(rows)})", name, *(_interval(score, rows) for score in scores)


def _interval(score: Callable[[Array], float], rows: Array) -> Interval:
    random = np.random.default_rng(0)
    values = [score(random.choice(rows, len(rows))) for _ in range(RESAMPLES)]
    return Interval(score(rows), *(float(edge) for edge in np.percentile(values, (2.5, 97.5))))


def _by_kind(sounds: Sequence[TaggedSound], chosen: Trial, left_out: Result) -> Iterator[tuple[object, ...]]:
    """Yield each kind of sound, how many there are, what is expected of it, and what it is answered."""
    probabilities = softmax(chosen.logits, axis=1)
    for kind in kinds(sounds):
        rows = np.array([row for row, sound in enumerate(sounds) if sound.kind == kind])
        emotion = KINDS[kind].emotion
        column = EMOTIONS.index(emotion or "neutral")
        others = np.delete(probabilities[rows], [column, EMOTIONS.index("neutral")], axis=1)
        recordings = sum(sounds[row].recorded for row in rows)
        yield (
            *(kind, recordings, len(rows) - recordings, emotion or "nothing"),
            *(f"{probabilities[rows, column].mean():.2f}", f"{others.max():.2f}"),
            *(f"{max(0, loss):.3f}" for loss in (chosen.divergences[rows].mean(), left_out.divergence(rows))),
        )
