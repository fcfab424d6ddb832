"""Model cards: what a trained model is, what it was trained on, how good it is, and what made it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from training import plots
from training.metrics import Interval, Scores
from triptych.files import write_atomically, write_text

CARD = "README.md"
LOSSES = "losses.png"
CONFUSION = "confusion.png"


@dataclass(frozen=True)
class Card:
    """The words of a model card; the numbers come from `Scores` and the logs."""

    title: str
    summary: str
    data: str
    terms: str
    splits: str
    limits: str
    command: str
    parameters: int
    temperature: float
    note: str = ""
    """Stands below the results."""
    calibration: str = ""
    """How the logits were calibrated, and on what; empty: by the temperature, on the data of the results."""


def write_card(
    folder: Path, card: Card, scores: Scores, uncalibrated: Scores, runs: Mapping[str, Sequence[Mapping[str, float]]]
) -> None:
    """Write the card and its two pictures into `folder`; `uncalibrated` are the scores at temperature 1."""
    write_atomically(folder / LOSSES, lambda path: plots.plot_losses(runs, path))
    write_atomically(folder / CONFUSION, lambda path: plots.plot_confusion(scores.confusion, path))
    text = "\n\n".join(_sections(card, scores, uncalibrated, runs)) + "\n"
    write_text(folder / CARD, text)


def commit() -> str:
    """Return the commit of the code that runs, with "+" after it when files differ; "unknown" outside a repository."""
    command = ["git", "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+"]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def _sections(
    card: Card, scores: Scores, uncalibrated: Scores, runs: Mapping[str, Sequence[Mapping[str, float]]]
) -> list[str]:
    minutes = {name: sum(row["seconds"] for row in history) / 60 for name, history in runs.items()}
    times = "; ".join(f"{name}: {len(runs[name])} epochs, {spent:.0f} min" for name, spent in minutes.items())
    return [
        f"# {card.title}",
        card.summary,
        f"{card.parameters / 1e6:.2f} M parameters. Training time on two CPU cores: {times}.",
        f"## Data and terms\n\n{card.data}\n\n{card.terms}",
        f"## Splits\n\n{card.splits}",
        f"## Results\n\n{_results(scores)}\n\n{_classes(scores)}",
        *([card.note] if card.note else []),
        _calibration(card, scores, uncalibrated),
        f"![Confusion matrix]({CONFUSION})\n\n![Loss against epoch]({LOSSES})",
        f"## Limits\n\n{card.limits}",
        f"## Made by\n\n`{card.command}` at commit `{commit()}`.",
    ]


def _calibration(card: Card, scores: Scores, uncalibrated: Scores) -> str:
    how = card.calibration or f"temperature {card.temperature:.3f}, fitted on the same data"
    return f"Calibration: {how}; expected calibration error {uncalibrated.ece:.3f} before, {scores.ece:.3f} after."


def _results(scores: Scores) -> str:
    rows = {
        "accuracy": scores.accuracy,
        "unweighted average recall": scores.balanced_accuracy,
        "macro-F1": scores.macro_f1,
    }
    lines = [f"| {name} | {_interval(interval)} |" for name, interval in rows.items()]
    head = f"| {scores.samples} samples | value (95 % bootstrap interval) |\n|---|---|\n"
    return head + "\n".join(lines)


def _interval(interval: Interval) -> str:
    return f"{interval.value:.3f} ({interval.low:.3f} to {interval.high:.3f})"


def _classes(scores: Scores) -> str:
    head = "| emotion | precision | recall | F1 | samples |\n|---|---|---|---|---|\n"
    return head + "\n".join(
        f"| {c.emotion} | {c.precision:.3f} | {c.recall:.3f} | {c.f1:.3f} | {c.support} |" for c in scores.classes
    )
