"""A graph of one step that answers how large a clip is, behind the real door: what is left is the way to Triton.

`benchmarks.door` starts it; the flags are those of `triptych serve` that it uses.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from triptych.serving import events, run
from triptych.serving.events import LogFormat
from triptych.serving.host import Address
from triptych_client import contract

CONFIG = f"""
name: "{contract.ENSEMBLE}" backend: "python" max_batch_size: 0
input [ {{ name: "{contract.VIDEO.name}" data_type: TYPE_UINT8 dims: [ -1 ] }} ]
output [ {{ name: "SIZE" data_type: TYPE_INT64 dims: [ 1 ] }} ]
instance_group [ {{ kind: KIND_CPU count: 1 }} ]
"""
MODEL = f'''
import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    """Answers how large a clip is."""

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        clip = pb_utils.get_input_tensor_by_name(request, "{contract.VIDEO.name}").as_numpy()
        return pb_utils.InferenceResponse([pb_utils.Tensor("SIZE", np.array([clip.size], np.int64))])
'''


def main(
    repository: Annotated[Path, typer.Option()],
    work: Annotated[Path, typer.Option()],
    host: Annotated[str, typer.Option()],
    grpc_port: Annotated[int, typer.Option()],
    metrics_port: Annotated[int, typer.Option()],
    client_shared_memory: bool = False,
) -> None:
    """Write the graph into a folder, and serve it."""
    (repository / contract.ENSEMBLE / "1").mkdir(parents=True, exist_ok=True)
    (repository / contract.ENSEMBLE / "config.pbtxt").write_text(CONFIG, encoding="utf-8")
    (repository / contract.ENSEMBLE / "1" / "model.py").write_text(MODEL, encoding="utf-8")
    events.configure(LogFormat.TEXT)
    door, web = Address(host, grpc_port), Address(host, metrics_port)
    raise typer.Exit(
        asyncio.run(run.serve(run.Settings(door, web, repository, work, client_shared_memory=client_shared_memory)))
    )


if __name__ == "__main__":
    typer.run(main)
