"""How good the fusion is: every subset of channels, in noise, by confidence; as a model card with a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.special import softmax
from sklearn.metrics import log_loss

from training.card import CARD, render
from training.fusion.fit import SUBSETS, answers, named
from training.fusion.pairs import LabelledClips
from training.metrics import Scores, macro_f1, score
from triptych.answer.parameters import Parameters
from triptych.files import write_text
from triptych_client.contract import CHANNELS, EMOTIONS

Array = np.ndarray
PICTURE = "risk_coverage.png"
CORE = (0, 2, 3)
"""Face, voice and words: what every pair of is held to beat its best."""
MAX_ECE_ALL, MAX_ECE, MAX_COST = 0.05, 0.08, 0.005
"""The bars: expected calibration error with all channels and for any subset, and what adding a channel may cost."""
GROUPED_BY = (2, 1, 3, 0)
"""Channels in the order in which a subset's clips depend on each other by them: the same voice is in many."""


@dataclass(frozen=True)
class Row:
    """One subset of channels: its scores, log-loss, and macro-F1 of its best channel alone and of the opinion pool."""

    subset: tuple[int, ...]
    scores: Scores
    log_loss: float
    best_alone: float
    pool: float

    def cells(self) -> tuple[str, ...]:
        """Return the row of the card's table."""
        numbers = (self.log_loss, self.scores.ece, self.best_alone, self.pool)
        scores = (str(self.scores.accuracy), str(self.scores.macro_f1))
        return named(self.subset), *scores, *(f"{number:.3f}" for number in numbers)


@dataclass(frozen=True)
class ChannelCalibration:
    """A channel's model, and the expected calibration error of its logits as they are and as calibrated."""

    channel: str
    entry: str
    ece_before: float
    ece_after: float


def measure(parameters: Parameters, clips: LabelledClips, condition: str = "clean") -> list[Row]:
    """Return the scores of every subset of channels, on the clips that have these channels."""
    complete = {subset: with_channels(clips, subset) for subset in SUBSETS}
    return [_row(parameters, part, condition, subset) for subset, part in complete.items() if len(part.labels)]


def with_channels(clips: LabelledClips, subset: tuple[int, ...]) -> LabelledClips:
    """Return the clips that have every channel of the subset."""
    return clips.choose(np.isfinite(clips.x["clean"][:, list(subset)]).all(axis=(1, 2)))


def _row(parameters: Parameters, clips: LabelledClips, condition: str, subset: tuple[int, ...]) -> Row:
    x = clips.x[condition]
    groups = clips.groups[:, next(channel for channel in GROUPED_BY if channel in subset)]
    logits = answers(parameters, x, subset)
    alone = [macro_f1(clips.labels, x[:, channel, : len(EMOTIONS)].argmax(1)) for channel in subset]
    pool = answers(Parameters.opinion_pool(), x, subset).argmax(1)
    loss = float(log_loss(clips.labels, softmax(logits, axis=1), labels=range(len(EMOTIONS))))
    return Row(subset, score(clips.labels, logits, groups), loss, max(alone), macro_f1(clips.labels, pool))


def write(
    folder: Path, template: str, parameters: Parameters, clips: LabelledClips, rows: Sequence[Row], **values: object
) -> None:
    """Write the card and its picture into `folder`; `values`: what else the template asks for."""
    plot_risk(parameters, clips, folder / PICTURE)
    page = render(
        template,
        bias=[f"{value:+.2f} {emotion}" for value, emotion in zip(parameters.bias, EMOTIONS)],
        subsets=[row.cells() for row in rows],
        bars=bars(rows),
        picture=PICTURE,
        abstain_below=parameters.abstain_below,
        conflict_above=parameters.conflict_above,
        **values,
    )
    write_text(folder / CARD, page)


def plot_risk(parameters: Parameters, clips: LabelledClips, path: Path) -> None:
    """Draw the share of wrong answers against the share of clips answered, the surest first, and the threshold."""
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.subplots()
    for subset in (part for part in SUBSETS if len(part) != 2):
        part = with_channels(clips, subset)
        if not len(part.labels):
            continue
        shares = softmax(answers(parameters, part.x["clean"], subset), axis=1)
        coverage, risk = risk_coverage(shares.max(1), shares.argmax(1) != part.labels)
        (line,) = axes.plot(coverage, risk, label=named(subset), lw=2 if len(subset) == 4 else 1)
        answered = (shares.max(1) >= parameters.abstain_below).mean()
        if answered > 0:
            axes.plot(answered, risk[int(answered * len(risk)) - 1], "o", color=line.get_color(), ms=4)
    axes.set(
        xlabel="share of clips answered, surest first", ylabel="share of wrong answers", xlim=(0, 1), ylim=(0, None)
    )
    axes.set_title(f"dots: where the answer abstains (best below {parameters.abstain_below:.2f})", fontsize=9)
    axes.legend(fontsize=7, loc="upper left")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def risk_coverage(confidence: Array, wrong: Array) -> tuple[Array, Array]:
    """Return coverage and risk [n] (El-Yaniv and Wiener 2010): wrong answers among the k surest, for each k."""
    order = np.argsort(-confidence, kind="stable")
    count = np.arange(1, len(order) + 1)
    return count / len(order), np.cumsum(wrong[order]) / count


@dataclass(frozen=True)
class Bar:
    """Something that the fusion is held to: the measure in words, and whether it is reached."""

    words: str
    reached: bool


def bars(rows: Sequence[Row]) -> list[Bar]:
    """Return the bars with what was measured."""
    complete = max(rows, key=lambda row: len(row.subset))
    worst = max(rows, key=lambda row: row.scores.ece)
    ece = complete.scores.ece
    return [
        Bar(f"calibration error with {named(complete.subset)}: {ece:.3f}, at most {MAX_ECE_ALL}", ece <= MAX_ECE_ALL),
        Bar(
            f"highest calibration error: {worst.scores.ece:.3f} ({named(worst.subset)}), at most {MAX_ECE}",
            worst.scores.ece <= MAX_ECE,
        ),
        *_gain(rows),
        *_cost({row.subset: row.scores.macro_f1.value for row in rows}),
    ]


def _gain(rows: Sequence[Row]) -> list[Bar]:
    """Return the least that fusion gains over the best channel alone, among face, voice and words."""
    core = [row for row in rows if len(row.subset) > 1 and set(row.subset) <= set(CORE)]
    if not core:
        return []
    least = min(core, key=lambda row: row.scores.macro_f1.value - row.best_alone)
    points = 100 * (least.scores.macro_f1.value - least.best_alone)
    return [
        Bar(f"least gain in macro-F1 over the best alone: {points:+.1f} points ({named(least.subset)})", points > 0)
    ]


def _cost(f1: Mapping[tuple[int, ...], float]) -> list[Bar]:
    """Return the most that adding a channel costs in macro-F1."""
    costs = {}
    for subset in f1:
        for channel in subset:
            rest = tuple(other for other in subset if other != channel)
            if rest in f1:
                costs[f"{CHANNELS[channel]} in {named(subset)}"] = f1[rest] - f1[subset]
    if not costs:
        return []
    where = max(costs, key=lambda key: costs[key])
    words = f"most that adding a channel costs: {100 * costs[where]:.1f} points ({where}), at most {100 * MAX_COST}"
    return [Bar(words, costs[where] <= MAX_COST)]
