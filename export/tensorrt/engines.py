"""The engines of a model repository: builds those that are not up to date, each put in place as soon as it is built."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from onnx import ModelProto

from export import manifest
from export.tensorrt import build as builder
from export.tensorrt.build import Target
from export.tensorrt.graph import prepared
from export.tensorrt.shapes import SHAPES, Shapes
from triptych.errors import TriptychError
from triptych.serving import cuda
from triptych.serving.checksums import sha256
from triptych.serving.engines import Engine, Host, Precision, step_fault
from triptych_client.contract import STEPS, Step

Report = Callable[[str, str], None]
"""Called with a step's name and what is done with it: "build" or "ready"."""
Build = Callable[[Any, ModelProto, Step, Shapes, Target], bytes]


def require() -> tuple[Any, Host]:
    """Return TensorRT's module and this host; TriptychError, before anything is done, when one of them is missing."""
    library = builder.load()
    gpu = cuda.gpu()
    if gpu is None:
        raise TriptychError(
            "an engine is built on the GPU that serves it, and CUDA sees none here: look at nvidia-smi, at "
            "CUDA_VISIBLE_DEVICES, and, in a container, at --gpus"
        )
    return library, Host(gpu, builder.version(library))


@manifest.one_at_a_time
def write(
    repository: Path,
    cache: Path,
    required: tuple[Any, Host],
    precision: Precision,
    report: Report,
    build: Build = builder.build,
) -> None:
    """Build an engine for every step that is one on hosts with a GPU, in this precision; what is up to date stays.

    `required` is what `require` returns. A step whose engine cannot be built keeps the one that it has, and
    so do those after it: TriptychError.
    """
    library, host = required
    for step, shapes in SHAPES.items():
        folder = repository / step / "1"
        model = prepared(folder / shapes.graph, precision)
        engine = describe(folder, shapes, step, model, host, precision)
        if not is_up_to_date(engine, folder, step, host):
            report(step, "build")
            engine.install(build(library, model, STEPS[step], shapes, _target(cache, engine)), folder)
        report(step, "ready")


def describe(folder: Path, shapes: Shapes, step: str, model: ModelProto, host: Host, precision: Precision) -> Engine:
    """Return what would be noted of an engine, but for its own sha256."""
    assert host.gpu is not None
    axes = f"{STEPS[step].max_batch_size} {shapes}"
    built_of = hashlib.sha256(model.SerializeToString(deterministic=True) + axes.encode()).hexdigest()
    graph_sha256 = sha256(folder / shapes.graph)
    gpu = host.gpu
    return Engine(gpu.name, gpu.capability, host.tensorrt, precision.value, shapes.graph, graph_sha256, built_of)


def is_up_to_date(engine: Engine, folder: Path, step: str, host: Host) -> bool:
    """Tell whether the engine that would be built is the one that is there, and whole."""
    there = Engine.read(folder)
    return there is not None and replace(there, plan_sha256="") == engine and not step_fault(step, folder, host)


def _target(cache: Path, engine: Engine) -> Target:
    """Return this host's GPU, and the file of times for it and for this TensorRT."""
    folder = cache / "tensorrt"
    folder.mkdir(parents=True, exist_ok=True)
    return Target(timing_cache=folder / f"{engine.file.rsplit('.', 2)[0]}.timing")
