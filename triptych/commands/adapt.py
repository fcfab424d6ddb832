"""`triptych adapt`: what unlabelled footage of a user's own tells of how the channels answer there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from export import manifest
from triptych.answer import adaptation
from triptych.answer.adaptation import Adaptation, Offset
from triptych.answer.manifest import Manifest
from triptych.errors import TriptychError
from triptych.files import write_atomically
from triptych.paths import MODEL_REPOSITORY
from triptych.serving.service import Service
from triptych_client import Client
from triptych_client.clips import find
from triptych_client.contract import CHANNELS, EMOTIONS, EVIDENCE
from triptych_client.errors import TriptychClientError

FEWEST = 10
"""Clips that a channel must answer for, to be adapted. Chosen."""
console = Console(stderr=True)


def adapt(
    folder: Annotated[
        Path | None,
        typer.Argument(help="Folder of clips, without labels, like those that will be asked about.", file_okay=False),
    ] = None,
    name: Annotated[str, typer.Option(help="What answers call this footage; the folder's name if not given.")] = "",
    channels: Annotated[
        list[str] | None, typer.Option("--channel", help="Adapt this channel; face and voice if not given.")
    ] = None,
    neutral: Annotated[
        float,
        typer.Option(
            min=0.01,
            max=0.99,
            help="Share of the footage that is neutral, and that answers then expect; the other emotions are taken as "
            "equally frequent.",
        ),
    ] = 1 / len(EMOTIONS),
    use: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Take an adaptation.json that was made before.", exists=True)
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it there, and adapt nothing yet.")] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take the adaptation away.")] = False,
    repository: Annotated[Path, typer.Option(help="The model repository.")] = MODEL_REPOSITORY,
) -> None:
    """Adapt channels to footage of your own, without labels: seven numbers each, named in every answer.

    How often each emotion is expressed in it must be known: equally often, or neutral more so (--neutral).
    """
    if sum([folder is not None, use is not None, undo]) != 1:
        raise TriptychError("give one of FOLDER, --use FILE and --undo")
    if undo:
        manifest.adapt(repository, Adaptation())
        return
    if folder is None:
        assert use is not None
        found = Adaptation.read(use)
    else:
        found = learn(folder, name, _known(channels), neutral, repository)
    if out is not None:
        write_atomically(out, lambda path: path.write_bytes(found.text()))
    else:
        manifest.adapt(repository, found)
        console.print("Answers are adapted from the next start of the server on.")


def learn(folder: Path, name: str, channels: Sequence[str], neutral: float, repository: Path) -> Adaptation:
    """Ask the served models about the clips of a folder, and return the offsets of these channels.

    TriptychError when no channel answers for FEWEST clips.
    """
    paths = [item.path for item in find([folder]).found]
    if not paths:
        raise TriptychError(f"there is no clip in {folder}")
    before = Manifest.read(repository / manifest.STEP / "1").adaptation
    with Service(repository) as server, Client(server.grpc_url) as client:
        evidence, models = _ask(paths, client)
    logits = {channel: before.taken_back(channel, _there(evidence, channel)) for channel in channels}
    found = offsets(folder, logits, models, neutral)
    console.print(_table(found, logits))
    return Adaptation(name or folder.resolve().name, neutral, found)


def offsets(
    folder: Path, logits: Mapping[str, np.ndarray], models: Mapping[str, str], neutral: float
) -> dict[str, Offset]:
    """Fit each channel that answered for enough clips, by its logits [n, 7]; TriptychError when none did."""
    prior = adaptation.with_neutral(neutral)
    found = {
        channel: Offset(models[channel], len(rows), adaptation.fit(rows, prior))
        for channel, rows in logits.items()
        if len(rows) >= FEWEST
    }
    if not found:
        most = max(map(len, logits.values()))
        raise TriptychError(
            f"{folder} has too few clips to adapt to: {', '.join(logits)} answered for {most} at most, of the "
            f"{FEWEST} that are needed"
        )
    return found


def _known(channels: Sequence[str] | None) -> Sequence[str]:
    """Return the channels to adapt; TriptychError when there is no such channel."""
    unknown = set(channels or ()) - set(CHANNELS)
    if unknown:
        raise TriptychError(f"there is no channel {', '.join(sorted(unknown))}: --channel takes {', '.join(CHANNELS)}")
    return channels or ("face", "voice")


def _ask(paths: Sequence[Path], client: Client) -> tuple[np.ndarray, Mapping[str, str]]:
    """Return what fusion saw of each clip [n, 4, 14], and the models by role; clips that are refused are said."""
    evidence, models = [], {}
    for path in track(paths, "clips", console=console):
        try:
            answer = client.analyze(path, embeddings=True)
        except TriptychClientError as error:
            console.print(f"left out: {path.name}: {error}", markup=False)
            continue
        evidence.append(answer.embeddings[EVIDENCE.name])
        models = {role: model.name for role, model in answer.models.items()}
    return np.array(evidence, np.float64).reshape(-1, len(CHANNELS), EVIDENCE.dims[-1]), models


def _there(evidence: np.ndarray, channel: str) -> np.ndarray:
    """Return a channel's calibrated logits [m, 7] of the clips that it answers for."""
    logits = evidence[:, CHANNELS.index(channel), : len(EMOTIONS)]
    return logits[np.isfinite(logits).all(axis=1)]


def _table(found: Mapping[str, Offset], logits: Mapping[str, np.ndarray]) -> Table:
    """Say how often each emotion was the likeliest, before and after."""
    table = Table("channel", "clips", "", *EMOTIONS, box=None)
    for channel, rows in logits.items():
        if channel not in found:
            table.add_row(channel, str(len(rows)), f"too few, of {FEWEST}")
            continue
        for when, moved in (("before", rows), ("after", rows + found[channel].offset)):
            shares = np.bincount(moved.argmax(1), minlength=len(EMOTIONS)) / len(rows)
            table.add_row(channel, str(len(rows)), when, *(f"{share:.2f}" for share in shares))
    return table
