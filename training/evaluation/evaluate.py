"""`triptych evaluate`: labelled clips through the served ensemble, as a page, a file and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.card import render
from training.evaluation import scores
from training.evaluation.answered import FILE, Answered
from training.evaluation.scores import Change
from training.fusion import clips
from training.fusion.report import risk_coverage
from training.metrics import CALIBRATION_BINS
from training.plots import plot_confusion
from triptych.answer.parameters import FUSION_FILE, Parameters
from triptych.answer.reliability import RELIABILITY_FILE
from triptych.files import write_atomically, write_text
from triptych.serving.service import Service
from triptych_client import Client
from triptych_client.contract import EMOTIONS

PAGE, PICTURE, CONFUSION = "evaluation.md", "certainty.png", "confusion.png"


def evaluate(
    folder: Path, out: Path, repository: Path, against: Path | None = None, reliability: str | None = None
) -> str:
    """Ask the models of `repository` about the clips of `folder` (labels.csv); write all into `out`, return the page.

    `against`: the evaluation.json of another export, of the same clips. TriptychError as of `clips.read`, or when a
    clip is refused. `reliability` names the clips in the file of how often answers as sure as another are right.
    """
    rows = clips.read(folder)
    other = Answered.read(against) if against else None
    with Service(repository) as server, Client(server.grpc_url) as client:
        answered = Answered.ask(folder, rows, client)
    fusion = repository / "fusion" / "1" / FUSION_FILE
    page = write(answered, Parameters.read(fusion), out, scores.against(answered, other) if other else ())
    if reliability is not None:
        command = f"triptych evaluate --clips DIR --out DIR --reliability {reliability}"
        scores.reliability(answered, reliability).write(out / RELIABILITY_FILE, fusion, answered.models, command)
    return page


def write(answered: Answered, parameters: Parameters, out: Path, changes: Sequence[Change] = ()) -> str:
    """Write page, file and pictures into `out`; return the page."""
    out.mkdir(parents=True, exist_ok=True)
    lines = [scores.whole(answered), *scores.by_subset(answered, parameters)]
    groups = scores.by(answered, lambda one: one.groups)
    emotions = scores.by(answered, lambda one: [EMOTIONS[label] for label in one.labels])
    page = render(
        "evaluation/page.md",
        whole=lines[0],
        abstained=int(answered.abstained.sum()),
        models=sorted(answered.models.items()),
        header=scores.HEADER,
        lines=[one.cells() for one in lines],
        groups=[one.cells() for one in groups],
        emotions=[one.cells() for one in emotions],
        changes=[change.cells() for change in changes],
        draws_groups=len(groups) >= scores.FEWEST_GROUPS,
        pictures=(PICTURE, CONFUSION),
    )
    answered.write(out / FILE, scores=[asdict(one) for one in lines], changes=[asdict(change) for change in changes])
    write_atomically(out / PICTURE, lambda path: _plot(answered, path))
    counts = np.zeros((len(EMOTIONS), len(EMOTIONS)), int)
    np.add.at(counts, (answered.labels, answered.probabilities.argmax(1)), 1)
    write_atomically(out / CONFUSION, lambda path: plot_confusion(counts, path))
    write_text(out / PAGE, page)
    return page


def _plot(answered: Answered, path: Path) -> None:
    """Draw how often answers are right by how sure they are, and the wrong ones among the surest."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    _reliability(left, answered)
    coverage, risk = risk_coverage(answered.certainty, ~answered.right)
    right.plot(coverage, risk)
    right.set(xlabel="share of clips answered, surest first", ylabel="share of wrong answers", xlim=(0, 1), ylim=(0, 1))
    right.grid(alpha=0.3)
    figure.savefig(path, dpi=110, format="png")


def _reliability(axes: Axes, answered: Answered) -> None:
    bins = np.minimum((answered.certainty * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    found = [number for number in range(CALIBRATION_BINS) if (bins == number).any()]
    sure = [answered.certainty[bins == number].mean() for number in found]
    axes.plot([0, 1], [0, 1], "k:", lw=1)
    axes.scatter(
        sure,
        [answered.right[bins == number].mean() for number in found],
        s=[8.0 * (bins == number).sum() for number in found],
    )
    axes.set(xlabel="certainty", ylabel="share of right answers", xlim=(0, 1), ylim=(0, 1))
    axes.grid(alpha=0.3)
