"""The graph in one process behind LitServe: a clip is what is posted, the answer is bytes.

Annotations are not postponed here: LitServe hands them to FastAPI as they are.
"""

from typing import Annotated

import litserve
import typer
from fastapi import Body, Response

from benchmarks.in_process import InProcess
from benchmarks.peers.answers import packed


class Graph(litserve.LitAPI):
    """One worker: every model, loaded once."""

    def __init__(self, threads: int) -> None:
        super().__init__()
        self.threads = threads

    def setup(self, device: str) -> None:
        """Load the models."""
        self.graph = InProcess(self.threads)

    def decode_request(self, request: Annotated[bytes, Body(media_type="application/octet-stream")]) -> bytes:
        """Return the clip."""
        return request

    def predict(self, clip: bytes) -> bytes:
        """Return the answer's tensors as one file."""
        return packed(self.graph.analyze(clip))

    def encode_response(self, answer: bytes) -> Response:
        """Return them as they are."""
        return Response(answer, media_type="application/octet-stream")


def main(
    port: Annotated[int, typer.Option()],
    workers: Annotated[int, typer.Option()],
    threads: Annotated[int, typer.Option()],
) -> None:
    """Serve until the process is ended."""
    server = litserve.LitServer(Graph(threads), accelerator="cpu", workers_per_device=workers, timeout=False)
    server.run(host="127.0.0.1", port=port, generate_client_file=False, log_level="warning")


if __name__ == "__main__":
    typer.run(main)
