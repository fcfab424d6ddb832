"""What was found out, as it is kept in JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from triptych.files import write_text


@dataclass(frozen=True)
class Answer:
    """One clip, answered on the CPU and on the device.

    `difference`: the largest of any probability, of the clip or of a channel alone; `where`: which one that is.
    """

    clip: str
    label_on_cpu: str
    label: str
    difference: float
    where: str
    same_text: bool
    same_channels: bool


@dataclass(frozen=True)
class Latency:
    """One step asked with so many rows of the demo clip, alone, over gRPC."""

    step: str
    batch: int
    median_s: float
    least_s: float
    repeats: int


@dataclass(frozen=True)
class Card:
    """A GPU during a block: memory of all processes and its utilisation, as NVIDIA's driver tells."""

    memory_mib: float
    memory_before_mib: float
    utilisation: float
    """Mean share of the time in which a kernel ran, 0 to 1."""


@dataclass(frozen=True)
class Load:
    """So many callers, each asking again as soon as it has its answer. `card` is None without a GPU."""

    callers: int
    seconds: float
    answered: int
    refused: int
    failed: int
    median_s: float
    p95_s: float
    card: Card | None

    @property
    def clips_a_second(self) -> float:
        """How many were answered a second."""
        return self.answered / self.seconds


@dataclass
class Report:
    """All of it; `missing` says in one line each what this host lacks or what there was no time for."""

    command: str
    device: str
    machine: dict[str, str]
    missing: list[str] = field(default_factory=list)
    runs_by: dict[str, str] = field(default_factory=dict)
    """By step with a network: the execution provider of ONNX Runtime that it came to run by."""
    answers: list[Answer] = field(default_factory=list)
    latencies: list[Latency] = field(default_factory=list)
    loads: list[Load] = field(default_factory=list)
    stages: str = ""
    """The page of each network alone, beside this one."""

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        write_text(path, json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n")
