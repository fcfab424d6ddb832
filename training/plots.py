"""The two pictures of a model card: loss against epoch, and the confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from triptych_client.contract import EMOTIONS


def plot_losses(runs: Mapping[str, Sequence[Mapping[str, float]]], path: Path) -> None:
    """Draw training and validation loss, and the validation score, against epoch; one column a run (title -> log)."""
    figure = Figure(figsize=(6 * len(runs), 4.2), layout="constrained")
    for axes, (title, history) in zip(figure.subplots(1, len(runs), squeeze=False)[0], runs.items(), strict=True):
        epochs = [row["epoch"] for row in history]
        axes.plot(epochs, [row["train_loss"] for row in history], "o-", label="training loss", ms=3)
        axes.plot(epochs, [row["loss"] for row in history], "s-", label="validation loss", ms=3)
        axes.set(title=title, xlabel="epoch", ylabel="loss")
        axes.grid(alpha=0.3)
        right = axes.twinx()
        right.plot(epochs, [row["score"] for row in history], "k:", label="validation score")
        right.set_ylabel("score")
        lines = [*axes.get_lines(), *right.get_lines()]
        axes.legend(lines, [str(line.get_label()) for line in lines], loc="center right")
    figure.savefig(path, dpi=110, format="png")


def plot_confusion(confusion: np.ndarray, path: Path) -> None:
    """Draw counts [true, predicted] over EMOTIONS, each row as shares of its true emotion."""
    shares = confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
    figure = Figure(figsize=(6, 5.2), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        axes.text(column, row, f"{share:.0%}", ha="center", va="center", color="white" if share > 0.5 else "black")
    ticks = range(len(EMOTIONS))
    axes.set_xticks(ticks, EMOTIONS, rotation=45, ha="right")
    axes.set_yticks(ticks, EMOTIONS)
    axes.set(xlabel="predicted", ylabel="true")
    figure.savefig(path, dpi=110, format="png")
