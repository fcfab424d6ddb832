"""Chooses the constants of the tag comparison on labelled sounds.

Nothing is trained by gradient: the tagger and the sentence encoder are published models, and six constants are chosen
on a grid. The criterion is how far the answer for a sound is from what the sound is expected to express: the
Kullback-Leibler divergence of the two distributions, in nats, averaged over a kind's sounds and then over the kinds, so
that the eleven coughs do not outvote the one scream. What is said of a kind comes from constants chosen without that
kind (leave one kind out), so that the choice is not judged by the sounds that it was made on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.special import log_softmax, softmax

from networks.sound import comparison
from networks.sound.comparison import NEUTRAL, Method
from networks.words.e5 import Embedder
from training.data.sounds import KINDS, TaggedSound
from triptych_client.contract import EMOTIONS

Array = np.ndarray


@dataclass(frozen=True)
class Grid:
    """What is tried for each constant of `Method`."""

    prompt: tuple[str, ...] = ("query: ", "passage: ")
    removed: tuple[int, ...] = (0, 2, 5)
    nearest: tuple[int, ...] = (1, 2)
    threshold: tuple[float, ...] = (1.5, 2.0, 2.5, 3.0)
    temperature: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0)
    heard: tuple[float, ...] = (0.25, 0.5, 1.0)


GRID = Grid()
AGREEMENT = 0.8
"""How sure an emotional sound makes of its emotion. Listeners name the emotion of an actor's burst of voice in 86 % of
cases (Lima, Castro and Scott 2013), of one in an amateur's video in 70 % and more for amusement, fear and sadness
(Anikin and Persson 2017)."""
NEUTRAL_SHARE = 0.31
"""What a sound that says nothing leaves: neutral as often as in everyday writing (31 % of GoEmotions' training part,
40 % of CEDR's), and the others equally."""


@dataclass(frozen=True)
class Trial:
    """One point of the grid: its constants, the logits [n, 7] of the sounds, and their divergences [n]."""

    method: Method
    logits: Array
    divergences: Array


def targets(sounds: Sequence[TaggedSound]) -> Array:
    """Return what each sound is expected to say, [n, 7]: its emotion with AGREEMENT, or no more than the base rates."""
    return np.stack([_target(sound.emotion) for sound in sounds])


def trials(
    sounds: Sequence[TaggedSound], classes: Sequence[str], embedder: Embedder, grid: Grid = GRID
) -> Iterator[Trial]:
    """Yield every point of the grid."""
    expected = targets(sounds)
    heard = {level: strengths(sounds, level) for level in grid.heard}
    tags = comparison.embed_names(classes, embedder)
    for prompt in grid.prompt:
        described = comparison.embed_descriptions(embedder, prompt)
        for removed, nearest in product(grid.removed, grid.nearest):
            likeness = comparison.likeness(tags, described, removed, nearest)
            for threshold, temperature, level in product(grid.threshold, grid.temperature, grid.heard):
                method = Method(prompt, removed, nearest, threshold, temperature, limit(), level, neutral_logit())
                logits = answers(heard[level], likeness, method)
                yield Trial(method, logits, divergences(logits, expected))


def strengths(sounds: Sequence[TaggedSound], heard: float) -> Array:
    """Return how strongly each sound's tags are heard, [n, classes]: the mean over its windows, weighted by length."""
    return np.stack([np.average(np.clip(s.scores / heard, 0, 1), axis=0, weights=s.lengths) for s in sounds])


def answers(strength: Array, likeness: Array, method: Method) -> Array:
    """Return the channel's logits [n, 7]: as served, the mean over the windows, since a window's are linear in it."""
    logits = strength @ comparison.evidence(likeness, method)
    logits[:, NEUTRAL] += method.neutral
    return logits


def divergences(logits: Array, expected: Array) -> Array:
    """Return the Kullback-Leibler divergence [n] of the answers from what is expected, in nats."""
    return (expected * (np.log(expected) - log_softmax(logits, axis=1))).sum(axis=1)


def choose(trials: Sequence[Trial], sounds: Sequence[TaggedSound]) -> tuple[Trial, Array]:
    """Return the chosen trial, and logits [n, 7] of each sound by the trial that is chosen without the sound's kind."""
    table = np.stack([kind_means(trial.divergences, sounds) for trial in trials])
    sureness = np.array([softmax(trial.logits, axis=1).max(axis=1).mean() for trial in trials])
    left_out = np.zeros_like(trials[0].logits)
    for column, kind in enumerate(kinds(sounds)):
        best = trials[best_row(np.delete(table, column, axis=1), sureness)]
        rows = [sound.kind == kind for sound in sounds]
        left_out[rows] = best.logits[rows]
    return trials[best_row(table, sureness)], left_out


def best_row(table: Array, sureness: Array) -> int:
    """Return which trial is the least sure of those within one standard error of the least divergence.

    `table` [trials, kinds], `sureness` [trials]. So few kinds cannot tell such trials apart (the one-standard-error
    rule of Breiman et al. 1984, "Classification and regression trees", section 3.4.3), and a claim needs a reason.
    """
    means = table.mean(axis=1)
    error = table[means.argmin()].std(ddof=1) / np.sqrt(table.shape[1])
    return int(np.where(means <= means.min() + error, sureness, np.inf).argmin())


def kinds(sounds: Sequence[TaggedSound]) -> list[str]:
    """Return the kinds that there are sounds of, in the order of KINDS."""
    return [kind for kind in KINDS if any(sound.kind == kind for sound in sounds)]


def kind_means(values: Array, sounds: Sequence[TaggedSound]) -> Array:
    """Return the mean of `values` [n] over the sounds of each kind, [kinds]."""
    names = np.array([sound.kind for sound in sounds])
    return np.array([values[names == kind].mean() for kind in kinds(sounds)])


def neutral_logit() -> float:
    """Return neutral's logit that gives it NEUTRAL_SHARE when nothing is heard."""
    return float(np.log(NEUTRAL_SHARE / ((1 - NEUTRAL_SHARE) / (len(EMOTIONS) - 1))))


def limit() -> float:
    """Return the logit with which one tag alone makes its emotion as sure as AGREEMENT, and no more."""
    others = np.exp(neutral_logit()) + len(EMOTIONS) - 2
    return float(np.log(AGREEMENT / (1 - AGREEMENT) * others))


def _target(emotion: str | None) -> Array:
    share = np.full(len(EMOTIONS), (1 - NEUTRAL_SHARE) / (len(EMOTIONS) - 1))
    share[NEUTRAL] = NEUTRAL_SHARE
    if emotion is None:
        return share
    others = np.where(np.array(EMOTIONS) == emotion, 0, share)
    return np.where(others > 0, others / others.sum() * (1 - AGREEMENT), AGREEMENT)
