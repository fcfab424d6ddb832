"""`triptych batch`: a manifest of clips through a cluster of Ray, into Parquet."""

from __future__ import annotations

import shlex
from contextlib import ExitStack
from dataclasses import replace
from typing import Annotated

import typer

from triptych_client.call import DEFAULT_TIMEOUT_S
from triptych_client.characters import printable
from triptych_client.errors import TriptychClientError
from triptych_client.extras import needed_for
from triptych_client.options import Server, reaching
from triptych_client.outages import PATIENCE_S
from triptych_client.output import complain

UNFINISHED = 3
"""The exit code of a job or a run into a folder that ended before every clip was tried; given again, it goes on."""


@reaching
def batch(
    manifest: Annotated[
        str,
        typer.Argument(help="What names the clips: .parquet or .csv with a column of them, a listing, or a folder."),
    ],
    server: Server,
    out: Annotated[str, typer.Option(help="Folder for the tables: a path, or a URL such as s3://bucket/answers.")],
    column: Annotated[str, typer.Option(help="Column of the manifest that names the clips.")] = "path",
    partition: Annotated[int, typer.Option(min=1, help="Clips in a file; a killed job goes on behind it.")] = 100,
    cluster: Annotated[
        str | None,
        typer.Option(help="Address of a cluster of Ray (HOST:6379; auto on one of its nodes); else this machine."),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(help="Servers that run, with commas between or dns:///NAME:PORT; else each node starts its own."),
    ] = None,
    serve: Annotated[str, typer.Option(help='Flags of `triptych serve` on the nodes, as "--in-flight 8".')] = "",
    lanes: Annotated[int, typer.Option(min=1, help="Clips that each node asks about at the same time.")] = 3,
    task: Annotated[str, typer.Option(help="transcribe, or translate speech to English.")] = "transcribe",
    language: Annotated[str | None, typer.Option(help="Spoken language (en, ru, ...); recognised by default.")] = None,
    window: Annotated[float | None, typer.Option(min=6.0, help="Seconds of a part of long footage.")] = None,
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds to wait for one answer.")] = DEFAULT_TIMEOUT_S,
    patience: Annotated[
        float, typer.Option(min=0, help="Seconds to wait for a store or a server that does not answer.")
    ] = PATIENCE_S,
) -> None:
    """Analyse the clips of a manifest on a cluster of Ray, into Parquet: a row a clip, and a row a window.

    Given again, a job goes on after the partitions that are written. What cannot be answered is in dead_letters/, which
    is a manifest too. Exits with 0 when every clip has an answer, 1 when some have none, 3 when it was ended before.
    """
    with needed_for("triptych batch", "batch"):
        import fsspec  # noqa: F401
        import pyarrow  # noqa: F401
        import tenacity  # noqa: F401
    from triptych_client.batch import job, pipeline
    from triptych_client.batch import manifest as manifests
    from triptych_client.batch.lane import Asked
    from triptych_client.batch.stores import Patience

    client = None if url is None else replace(server, url=url).arguments(timeout)
    servers = pipeline.Servers(client, shlex.split(serve), lanes, timeout, patience)
    wish = job.Wish(out, partition, Asked(task, language), window, Patience(patience))
    try:
        named = manifests.read(manifest, column, wish.patience)
        if named.repeated:
            _say(f"named more than once in the manifest, and analysed once: {named.repeated:,}")
        work = job.Job(named, wish, _say)
        with ExitStack() as open_cluster:  # which a job that is done does not need
            rates = work.run(
                lambda: job.on_cluster(work, open_cluster.enter_context(pipeline.Cluster(cluster, servers)))
            )
    except TriptychClientError as error:
        complain(error)
        raise typer.Exit(UNFINISHED) from None
    _say(rates.summary())
    raise typer.Exit(1 if rates.failures or rates.failed_before else 0)


def _say(line: str) -> None:
    typer.echo(printable(line), err=True)
