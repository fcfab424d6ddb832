"""Model cards: what a trained model is, what it was trained on, how good it is, and what made it.

A card's words are a Markdown template beside its recipe, which Jinja fills with the numbers of a run; most of them
extend `training/card.md`.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from tabulate import tabulate

from training import device as devices
from training import plots
from training.metrics import Scores
from triptych.files import write_atomically, write_text

CARD = "README.md"
LOSSES = "losses.png"
CONFUSION = "confusion.png"


@dataclass(frozen=True)
class Card:
    """What fills a template that extends `training/card.md`, besides the scores and the logs.

    `template` is a file below `training/`, `device` where the model was trained (a name of `training.device`), and
    `values` what the template itself asks for.
    """

    template: str
    command: str
    parameters: int
    device: str
    values: Mapping[str, object] = field(default_factory=dict)


def write_card(
    folder: Path, card: Card, scores: Scores, uncalibrated: Scores, runs: Mapping[str, Sequence[Mapping[str, float]]]
) -> None:
    """Write the card and its two pictures into `folder`; `uncalibrated` are the scores without calibration."""
    write_atomically(folder / LOSSES, lambda path: plots.plot_losses(runs, path))
    write_atomically(folder / CONFUSION, lambda path: plots.plot_confusion(scores.confusion, path))
    page = render(
        card.template,
        command=card.command,
        parameters=card.parameters,
        hardware=devices.describe(devices.resolve(card.device)),
        times=[_time(name, history) for name, history in runs.items()],
        scores=scores,
        uncalibrated=uncalibrated,
        losses_picture=LOSSES,
        confusion_picture=CONFUSION,
        **card.values,
    )
    write_text(folder / CARD, page)


def render(template: str, **values: object) -> str:
    """Return a page from a template below `training/`; jinja2.UndefinedError when it asks for what is not given.

    Blank lines around a part that is left out are one.
    """
    return re.sub(r"\n{3,}", "\n\n", TEMPLATES.get_template(template).render(commit=commit(), **values))


def table(rows: Iterable[Iterable[object]], *header: str) -> str:
    """Return a Markdown table; the cells are written as they are."""
    return tabulate([list(map(str, row)) for row in rows], header, tablefmt="github", disable_numparse=True)


def commit() -> str:
    """Return the commit of the code that runs, with "+" after it when files differ; "unknown" outside a repository."""
    command = ["git", "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+"]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def _time(name: str, history: Sequence[Mapping[str, float]]) -> str:
    minutes = sum(row["seconds"] for row in history) / 60
    return f"{name}: {len(history)} epochs, {minutes:.0f} min"


TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent, encoding="utf-8"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
TEMPLATES.filters["table"] = table
