"""`triptych models`: what each channel can be, and what of it is here."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from triptych.paths import MODEL_REPOSITORY


def models(
    offline: Annotated[bool, typer.Option("--offline", help="Ask neither the package index nor the hub.")] = False,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for the answer of either.")] = 3.0,
) -> None:
    """List what each channel can be: licence, size, where its weights can be had from here, and what is exported."""
    from export import listing

    console = Console()
    if offline:
        console.print(listing.table(MODEL_REPOSITORY))
        return
    with Console(stderr=True).status("Asking the package index and the hub"):
        shown = listing.table(MODEL_REPOSITORY, timeout_s=timeout)
    console.print(shown)
