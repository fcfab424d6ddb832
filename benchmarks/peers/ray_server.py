"""The graph in one process behind Ray Serve: a deployment with as many replicas as workers, one clip each at a time."""

from __future__ import annotations

import asyncio
import threading
from typing import Annotated

import ray
import typer
from ray import serve
from starlette.requests import Request
from starlette.responses import Response

from benchmarks.in_process import InProcess
from benchmarks.peers.answers import packed
from triptych.resources import cores

QUEUED = 1000


@serve.deployment(max_ongoing_requests=1, max_queued_requests=QUEUED)
class Graph:
    """One replica: every model, loaded once."""

    def __init__(self, threads: int) -> None:
        self.graph = InProcess(threads)

    async def __call__(self, request: Request) -> Response:
        """Return the answer's tensors as one file; the replica's own loop stays free meanwhile."""
        clip = await request.body()
        answer = await asyncio.to_thread(self.graph.analyze, clip)
        return Response(packed(answer), media_type="application/octet-stream")


def main(
    port: Annotated[int, typer.Option()],
    workers: Annotated[int, typer.Option()],
    threads: Annotated[int, typer.Option()],
) -> None:
    """Serve until the process is ended."""
    ray.init(num_cpus=cores(), include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    deployment = Graph.options(num_replicas=workers, ray_actor_options={"num_cpus": cores() / workers})
    serve.run(deployment.bind(threads), route_prefix="/predict")
    threading.Event().wait()


if __name__ == "__main__":
    typer.run(main)
