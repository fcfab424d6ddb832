"""`triptych evaluate`: how good the exported models are on a user's own labelled clips."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triptych.errors import TriptychError
from triptych.paths import BUILD, MODEL_REPOSITORY


def evaluate(
    clips: Annotated[
        Path,
        typer.Option(
            help="Folder of clips with labels.csv: file, emotion, group (a person, a film).",
            exists=True,
            file_okay=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the page, the pictures, and the answers as JSON.")] = BUILD
    / "evaluation",
    against: Annotated[
        Path | None,
        typer.Option(help="evaluation.json of another export on the same clips: what changed.", dir_okay=False),
    ] = None,
    reliability: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Also write reliability.json, how often answers are right by how sure they are, for the fusion's "
            "folder of weights. NAME is what answers call these clips.",
        ),
    ] = None,
    repository: Annotated[Path, typer.Option(help="The model repository.")] = MODEL_REPOSITORY,
) -> None:
    """Ask the served ensemble about labelled clips: how often it is right, how sure it is, by channel and by group."""
    try:
        from training.evaluation.evaluate import evaluate as run
    except ModuleNotFoundError as error:
        raise TriptychError(f"to evaluate, {error.name} is missing: pip install 'triptych[training]'") from error
    print(run(clips, out, repository, against, reliability))
