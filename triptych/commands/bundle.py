"""`triptych bundle`: everything that serving needs, for a host without a network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from triptych.errors import TriptychError
from triptych.paths import MODEL_REPOSITORY
from triptych.serving.host import PYTHON

MIB = 1 << 20


def bundle(
    out: Annotated[Path, typer.Option(help="A new folder for the bundle.")],
    part_mib: Annotated[int, typer.Option(min=0, help="Cut the archive into parts of so many MiB; 0: one part.")] = 0,
    python: Annotated[str, typer.Option(help="The Python of the host that it is for, as in 3.12.")] = PYTHON,
    cuda: Annotated[bool, typer.Option("--cuda", help="ONNX Runtime for CUDA in place of the one for CPUs.")] = False,
    repository: Annotated[
        Path, typer.Option(help="The model repository that is to be served there.")
    ] = MODEL_REPOSITORY,
) -> None:
    """Write wheels, exported models and install.py into a folder: what a host without a network serves from."""
    from export.bundle.pack import pack
    from export.bundle.requirements import Target
    from triptych.commands.demo import make_clip

    if not _is_version(python):
        raise TriptychError(f"--python is a version such as 3.12, not {python}")
    console = Console(stderr=True)
    with console.status("Looking at the exported models") as status:

        def report(doing: str) -> None:
            status.update(f"{doing[:1].upper()}{doing[1:]}")

        names = pack(out.absolute(), repository, make_clip(), Target(python, cuda), part_mib * MIB, report)
    size = sum((out / name).stat().st_size for name in names)
    typer.echo(f"{out}: {len(names)} files, {size / 1e6:.0f} MB. On the host: python{python} install.py --to FOLDER")


def _is_version(text: str) -> bool:
    return all(part.isdecimal() for part in text.split(".")) and text.count(".") == 1
