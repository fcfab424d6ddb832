"""TensorRT engines in the model repository: what each was built for, and whether that is what this host has.

A plan runs on the GPU and the TensorRT that it was built with. TensorRT refuses another one in words that name neither
the step nor the remedy, or runs it with a warning; so it is refused here, by name, before Triton starts. `model.plan`,
which Triton reads, is a link to the file that bears the names of both.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from enum import Enum
from pathlib import Path

from triptych.errors import TriptychError
from triptych.files import write_atomically, write_text
from triptych.serving import cuda, profile
from triptych.serving.checksums import sha256
from triptych.serving.host import SYSTEM_LIBRARIES

PLAN = "model.plan"
"""What Triton loads."""
STAMP = "engine.json"
PLATFORM = "tensorrt_plan"
"""Triton's name, in a profile, for a step that is an engine."""
REMEDY = "Run, on the GPU that serves: triptych export --target tensorrt"


class Precision(str, Enum):
    """In what an engine computes its products; the rest is fp32 (export/tensorrt/precision.py)."""

    FP32 = "fp32"
    FP16 = "fp16"
    BF16 = "bf16"


@dataclass(frozen=True)
class Host:
    """What an engine depends on: the GPU, None where there is none, and TensorRT's version, "" where none is found."""

    gpu: cuda.Gpu | None
    tensorrt: str


@dataclass(frozen=True)
class Engine:
    """What is noted of an engine beside it.

    `gpu`, `capability`, `tensorrt`: what it was built on and with; `precision`: one of Precision; `graph`, and
    `graph_sha256`: the ONNX file that it was built from; `built_of`: sha256 of that graph as it was handed to
    TensorRT, and of the lengths of its axes; `plan_sha256`: of the engine itself.
    """

    gpu: str
    capability: tuple[int, int]
    tensorrt: str
    precision: str
    graph: str
    graph_sha256: str
    built_of: str
    plan_sha256: str = ""

    @property
    def file(self) -> str:
        """Name of the plan: GPU, compute capability, TensorRT's version and precision, as in NVIDIA-L4.sm89...plan."""
        architecture = "".join(map(str, self.capability))
        return f"{_slug(self.gpu)}.sm{architecture}.tensorrt-{self.tensorrt}.{self.precision}.plan"

    @classmethod
    def read(cls, folder: Path) -> Engine | None:
        """Read the stamp of a version folder; None where no engine was built, or not to the end."""
        try:
            fields = json.loads((folder / STAMP).read_text(encoding="utf-8"))
            return cls(**{**fields, "capability": tuple(fields["capability"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def install(self, plan: bytes, folder: Path) -> None:
        """Put the plan into a version folder, whole or not at all, in the place of the one before."""
        stamped = replace(self, plan_sha256=hashlib.sha256(plan).hexdigest())
        write_atomically(folder / self.file, lambda partial: partial.write_bytes(plan))
        write_text(folder / STAMP, json.dumps(asdict(stamped), indent=2) + "\n")
        link = folder / f".{PLAN}"
        link.unlink(missing_ok=True)
        link.symlink_to(self.file)
        os.replace(link, folder / PLAN)
        for old in folder.glob("*.plan"):
            if old.name not in {self.file, PLAN}:
                old.unlink()


def here() -> Host:
    """Return what this host has."""
    return Host(cuda.gpu(), tensorrt_version(_library_folders()))


def tensorrt_version(folders: Iterable[Path]) -> str:
    """Return the version that the name of libnvinfer in one of these folders tells, as 10.13.3; "" when none does.

    The library itself is half a gigabyte, and is not loaded for that.
    """
    names = (path.name for folder in folders for path in sorted(folder.glob("libnvinfer.so.*")))
    found = (re.fullmatch(r"libnvinfer\.so\.(\d+\.\d+\.\d+)", name) for name in names)
    return next((match[1] for match in found if match), "")


def check(repository: Path, options: Sequence[str]) -> None:
    """Raise TriptychError when Triton, with these flags, would be given an engine that this host cannot run."""
    steps = steps_of(options)
    found = [fault for step in steps if (fault := step_fault(step, repository / step / "1", here()))] if steps else []
    if found:
        raise TriptychError(f"{repository} cannot be served: {'; '.join(found)}. {REMEDY}")


def steps_of(options: Sequence[str]) -> list[str]:
    """Return the steps that are engines in the profile that flags of tritonserver name."""
    chosen = profile.named_by(options)
    return [step for step, table in chosen.steps.items() if table.get("platform") == PLATFORM] if chosen else []


def built(repository: Path) -> dict[str, Engine]:
    """Return the engines of a repository by step."""
    found = ((path.parent.parent.name, Engine.read(path.parent)) for path in sorted(repository.glob(f"*/1/{STAMP}")))
    return {step: engine for step, engine in found if engine}


def step_fault(step: str, folder: Path, host: Host) -> str:
    """Say what keeps this host from running a step's engine; "" for nothing."""
    engine = Engine.read(folder)
    if engine is None:
        return f"{step} has no engine"
    return next((f"{step}/1/{engine.file} {fault}" for fault in _faults(engine, folder, host)), "")


def _faults(engine: Engine, folder: Path, host: Host) -> Iterator[str]:
    plan = folder / engine.file
    if not plan.is_file() or os.path.realpath(folder / PLAN) != os.path.realpath(plan):
        yield "is missing, or model.plan is another file"
    elif sha256(plan) != engine.plan_sha256:
        yield "is not as it was built"
    if not (folder / engine.graph).is_file() or sha256(folder / engine.graph) != engine.graph_sha256:
        yield f"was built of another {engine.graph} than the one beside it"
    if host.gpu is None:
        yield f"was built for {engine.gpu}, and CUDA sees no GPU here"
    elif (host.gpu.name, host.gpu.capability) != (engine.gpu, engine.capability):
        yield f"was built for {engine.gpu}, and this GPU is {host.gpu.name}"
    if host.tensorrt and host.tensorrt != engine.tensorrt:
        yield f"was built by TensorRT {engine.tensorrt}, and this host has {host.tensorrt}"


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")


def _library_folders() -> list[Path]:
    named = [Path(folder) for folder in os.environ.get("LD_LIBRARY_PATH", "").split(":") if folder]
    return [*named, SYSTEM_LIBRARIES]
