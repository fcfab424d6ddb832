"""Which of ONNX Runtime's execution providers a step runs its graphs by: CUDA where it is wanted and to be had.

A step wants it that is an instance on a GPU, or whose config has the parameter `device` with the value `cuda`: the
embedded Triton knows no GPU, and starts its steps as instances on the CPU.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import onnxruntime as ort

from triptych_client.contract import STEPS

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
PARAMETER = "device"
WANTED = {"string_value": "cuda"}
"""The parameter's value, as a config has it."""
RUNS_BY = "runs by %s"
"""What a step logs once its graph is loaded; ONNX Runtime goes back to the CPU by itself where CUDA does not load."""
CUDA_OPTIONS = {
    "use_tf32": "0",  # as exact as on a CPU
    "cudnn_conv_algo_search": "HEURISTIC",  # the default tries every algorithm anew for every number of rows
    "arena_extend_strategy": "kSameAsRequested",  # several processes share the card: none takes twice what it needs
}


def on_cuda(kind: str, wanted: str = "") -> bool:
    """Tell whether an instance ("CPU" or "GPU") with this parameter `device` runs on a GPU."""
    return (kind == "GPU" or wanted == "cuda") and CUDA in ort.get_available_providers()


def listed(cuda: bool, number: int = 0) -> list[Any]:
    """Return the providers for a session, best first; `number`: of the GPU."""
    if not cuda:
        return [CPU]
    ort.preload_dlls()  # NVIDIA's libraries as wheels, which the loader does not find by itself
    return [(CUDA, {"device_id": number, **CUDA_OPTIONS}), CPU]


def lacking(options: Sequence[str]) -> str:
    """Say that the profile which flags of tritonserver name computes on CUDA, and this host cannot; "" for nothing."""
    from triptych.serving import profile  # a step that asks for its providers needs none of it

    chosen = profile.named_by(options)
    fields = {name: chosen.fields(step) for name, step in STEPS.items()} if chosen else {}
    steps = [name for name, of_step in fields.items() if of_step.get("parameters", {}).get(PARAMETER) == WANTED]
    if not chosen or not steps or CUDA in ort.get_available_providers():
        return ""
    return (
        f"the profile {chosen.name} computes on CUDA, and onnxruntime {ort.__version__} is built without it: "
        f"{', '.join(steps)} run on the CPU. Install onnxruntime-gpu in its place"
    )


def tell(step: str, session: ort.InferenceSession) -> None:
    """Log which provider a step's graph has come to run by."""
    logging.getLogger(step).info(RUNS_BY, session.get_providers()[0])
