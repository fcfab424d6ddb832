"""`triptych configs`: write the configs of the model repository, or check that they are as generated."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triptych.errors import TriptychError
from triptych.paths import MODEL_REPOSITORY
from triptych.serving.configs import stale, write


def configs(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing: fail when a config is not as generated.")
    ] = False,
    repository: Annotated[Path, typer.Option(help="The model repository.")] = MODEL_REPOSITORY,
) -> None:
    """Write every config.pbtxt and configs/PROFILE.pbtxt of the model repository from the contract and the profiles."""
    changes = stale(repository)
    named = "\n".join(
        f"  {repository / path}{'' if text else ' (no profile makes it)'}" for path, text in changes.items()
    )
    if check and changes:
        raise TriptychError(f"these are not as the contract and the profiles say; run `triptych configs`:\n{named}")
    if changes:
        write(changes, repository)
        typer.echo(f"Written or removed:\n{named}")
