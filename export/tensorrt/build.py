"""Builds an engine by NVIDIA's TensorRT: `tensorrt` 10 and 11, and TensorRT-RTX, whose Python API is the same.

`library` is that module: it is imported where it is used, since few hosts have it. TensorRT-RTX builds without a GPU,
which TensorRT does not: so this code is tried where there is none (docs/tensorrt.md). Its engines are not for Triton.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from onnx import ModelProto

from export.tensorrt.shapes import Dims, Shapes
from triptych.errors import TriptychError
from triptych.files import write_atomically
from triptych_client.contract import Step

TENSORRT = "tensorrt"
OLDEST = 10
"""The first with networks that are strongly typed as a whole, 64-bit integers and bf16."""


@dataclass(frozen=True)
class Target:
    """What an engine is built for: the GPU of this host, or one of a compute capability, which TensorRT-RTX can."""

    capability: tuple[int, int] | None = None
    timing_cache: Path | None = None
    """Where the times of tactics are kept, so that the next engine is built sooner."""


def load() -> Any:
    """Return the module of TensorRT; TriptychError, with what to install, when it is missing or too old."""
    try:
        library = import_module(TENSORRT)
    except (ImportError, OSError) as error:
        raise TriptychError(
            f"to build engines, TensorRT's Python package is missing ({error}). NVIDIA's container of Triton has the "
            "library: install `tensorrt` from NVIDIA's package index in the version of that library (libnvinfer.so.*)"
        ) from error
    if int(library.__version__.partition(".")[0]) < OLDEST:
        raise TriptychError(f"TensorRT {library.__version__} is too old: engines are built by {OLDEST} or newer")
    return library


def version(library: Any) -> str:
    """Return the version as libnvinfer's file is named, as 10.13.3."""
    return ".".join(library.__version__.split(".")[:3])


def build(library: Any, model: ModelProto, step: Step, shapes: Shapes, target: Target) -> bytes:
    """Return the engine of a graph; TriptychError, with TensorRT's own words, when it cannot be parsed or built."""
    log = _log(library)
    builder = library.Builder(log)
    network = _parsed(library, builder, model, step, log)
    config = builder.create_builder_config()
    config.add_optimization_profile(_profile(builder, _inputs(network), step, shapes))
    _configure(library, config, target)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise TriptychError(f"TensorRT cannot build {step.name}: {log.said()}")
    if target.timing_cache and hasattr(config, "get_timing_cache"):
        times = bytes(config.get_timing_cache().serialize())
        write_atomically(target.timing_cache, lambda partial: partial.write_bytes(times))
    return bytes(engine)


def _parsed(library: Any, builder: Any, model: ModelProto, step: Step, log: Any) -> Any:
    """Return the network of a graph."""
    network = builder.create_network(_strongly_typed(library))
    parser = library.OnnxParser(network, log)
    if not parser.parse(model.SerializeToString()):
        said = "; ".join(str(parser.get_error(number)) for number in range(parser.num_errors))
        raise TriptychError(f"TensorRT does not take the graph of {step.name}: {said or log.said()}")
    return network


def _strongly_typed(library: Any) -> int:
    """Return the flag that lets the types of the graph hold; where all networks are such, there may be none."""
    flag = getattr(library.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)


def _inputs(network: Any) -> Mapping[str, Dims]:
    inputs = (network.get_input(number) for number in range(network.num_inputs))
    return {value.name: tuple(value.shape) for value in inputs}


def _profile(builder: Any, inputs: Mapping[str, Dims], step: Step, shapes: Shapes) -> Any:
    profile = builder.create_optimization_profile()
    for name, dims in inputs.items():
        profile.set_shape(name, *shapes.of(step, name, dims))
    return profile


def _configure(library: Any, config: Any, target: Target) -> None:
    if hasattr(library.BuilderFlag, "TF32"):
        config.clear_flag(library.BuilderFlag.TF32)  # what is fp32 here is meant so: TF32 has the mantissa of fp16
    if target.capability:
        config.num_compute_capabilities = 1
        config.set_compute_capability(_capability(library, target.capability), 0)
    if target.timing_cache and hasattr(config, "create_timing_cache"):
        known = b""
        with suppress(FileNotFoundError):
            known = target.timing_cache.read_bytes()
        config.set_timing_cache(config.create_timing_cache(known), ignore_mismatch=False)


def _capability(library: Any, capability: tuple[int, int]) -> Any:
    return getattr(library.ComputeCapability, "SM{}{}".format(*capability))


def _log(library: Any) -> Any:
    """Return a logger that keeps the errors, since TensorRT raises none."""

    class Log(library.ILogger):
        def __init__(self) -> None:
            library.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (library.ILogger.Severity.ERROR, library.ILogger.Severity.INTERNAL_ERROR):
                self.errors.append(message)

        def said(self) -> str:
            return "; ".join(self.errors[-3:]) or "it does not say why"

    return Log()
