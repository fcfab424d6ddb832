"""What does the door cost a clip? The same Triton asked through it, and past it on its own socket, in turn.

python -m benchmarks.door
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

import grpc
import numpy as np
import psutil
import typer
from tritonclient.grpc import service_pb2, service_pb2_grpc

from benchmarks.measure import Seconds, interleave, publish, table
from triptych.paths import BUILD
from triptych.serving.service import Service
from triptych.serving.supervision.canary import clip
from triptych_client.contract import ANSWER, ENSEMBLE, VIDEO

ADDRESS = "--grpc-address="
"""The flag of tritonserver that names its socket; Triton appends the port to it."""
SIZES_MIB = (0, 8, 60)
"""What is appended to the clip: FFmpeg reads nothing after the end, and the door must carry it."""

Stub = service_pb2_grpc.GRPCInferenceServiceStub


def main(repeats: Annotated[int, typer.Option(min=3)] = 30) -> None:
    """Time clips of one second, one at a time."""
    with Service(work=BUILD / "benchmarks" / "door") as service:
        through, past = stub(service.grpc_url), stub(triton_address(service))
        rows = [row(size, *time_both(through, past, size, repeats)) for size in SIZES_MIB]
    text = table(("clip of 1 s and", "through the door, ms", "past it, ms", "the door costs, ms", "ratio"), rows)
    publish("door", f"python -m benchmarks.door --repeats {repeats}", f"Minimum / median.\n\n{text}")


def time_both(through: Stub, past: Stub, size_mib: int, repeats: int) -> list[Seconds]:
    """Time a clip with so many MiB after its end on both ways."""
    message = request(np.append(clip(), np.zeros(size_mib << 20, np.uint8)))
    return interleave(repeats, partial(through.ModelInfer, message), partial(past.ModelInfer, message))


def row(size_mib: int, through: Seconds, past: Seconds) -> tuple[str, str, str, str, str]:
    """Return a row of the table: what the door costs is taken pair by pair."""
    costs = Seconds(tuple(one - other for one, other in zip(through.values, past.values)))
    ratios = Seconds(tuple(one / other for one, other in zip(through.values, past.values)))
    times = (f"{1000 * times.least:.1f} / {1000 * times.median:.1f}" for times in (through, past))
    cost = f"{1000 * (through.least - past.least):.1f} / {1000 * costs.median:.1f}"
    return (f"{size_mib} MiB", *times, cost, f"{ratios.median:.3f}")


def stub(address: str) -> Stub:
    """Return the calls of a server."""
    options = [("grpc.max_send_message_length", -1), ("grpc.enable_http_proxy", 0)]
    return Stub(grpc.insecure_channel(address, options))


def triton_address(service: Service) -> str:
    """Return the address of the Triton behind a service, from its command line."""
    assert service.process
    for child in psutil.Process(service.process.pid).children(recursive=True):
        flags = [word for word in child.cmdline() if word.startswith(ADDRESS)]
        if flags:
            return f"{flags[0].removeprefix(ADDRESS)}:1"
    raise SystemExit("there is no tritonserver below the service")


def request(video: np.ndarray) -> service_pb2.ModelInferRequest:
    """Return the request of a clip, UINT8 [bytes]."""
    message = service_pb2.ModelInferRequest(model_name=ENSEMBLE)
    tensor = message.inputs.add(name=VIDEO.name, datatype=VIDEO.dtype)
    tensor.shape.append(len(video))
    for output in ANSWER:
        message.outputs.add(name=output.name)
    message.raw_input_contents.append(video.tobytes())
    return message


if __name__ == "__main__":
    typer.run(main)
