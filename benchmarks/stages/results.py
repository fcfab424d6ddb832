"""What was measured, as it is kept in JSON and read back, and what follows from it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from triptych.files import write_text

EAGER, GRAPH = "eager", "graph"
"""Called operator by operator from Python; or replayed as one CUDA graph."""


@dataclass(frozen=True)
class Ceilings:
    """What the device does at best, measured in the same run.

    `tflops` of a large product by precision; `copy_gbs` of memory to memory on the device, read and written bytes
    added; from the host with and without pinned memory; the cost of one small operator called from Python, and of one
    within a CUDA graph. None: the device has no such thing.
    """

    tflops: dict[str, float]
    copy_gbs: float
    pinned_gbs: float | None
    pageable_gbs: float | None
    launch_us: float
    graph_us: float | None


@dataclass(frozen=True)
class Cell:
    """One network at one batch, in one precision and mode: seconds of a call, and peak MiB (None on a CPU)."""

    batch: int
    precision: str
    mode: str
    median_s: float
    least_s: float
    repeats: int
    peak_mib: float | None


@dataclass(frozen=True)
class Agreement:
    """How far outputs are from those that they should be: the largest difference, the largest value, cosines.

    `cosine` is that of the whole outputs, the least of all outputs; `top1` the share of equal choices, where there are
    any. All None when there was a number that is none.
    """

    what: str
    batch: int
    max_abs: float | None
    largest: float | None
    cosine: float | None
    top1: float | None


@dataclass(frozen=True)
class Failure:
    """What could not be measured, and why."""

    what: str
    why: str


@dataclass
class Measured:
    """All of one network.

    `weights_read`: how many weights take part in every call, those of tables left out; `gflops` of a row; `bytes_fp32`:
    what a call reads of weights in float32, again for each token that is decoded.
    """

    name: str
    step: str
    weights: str
    unit: str
    weights_read: int = 0
    gflops: float = 0.0
    bytes_fp32: int = 0
    cells: list[Cell] = field(default_factory=list)
    agreements: list[Agreement] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


@dataclass(frozen=True)
class Speed:
    """What a cell comes to: rows a second, TFLOP/s, and the share of the time that the device would need at best.

    `bound`: what that best time is of, computing or reading the weights once.
    """

    rows_per_s: float
    tflops: float
    share: float
    bound: str


def speed(measured: Measured, cell: Cell, ceilings: Ceilings) -> Speed:
    """Return a cell's speed by its median."""
    flops = measured.gflops * 1e9 * cell.batch
    halved = 2 if cell.precision in ("fp16", "bf16") else 1
    computing_s = flops / (ceilings.tflops[cell.precision] * 1e12)
    reading_s = measured.bytes_fp32 / halved / (ceilings.copy_gbs * 1e9)
    return Speed(
        cell.batch / cell.median_s,
        flops / cell.median_s / 1e12,
        max(computing_s, reading_s) / cell.median_s,
        "computing" if computing_s >= reading_s else "weights",
    )


@dataclass
class Report:
    """A run: the command, the device's description by name, its ceilings, and the networks so far."""

    command: str
    device: dict[str, str]
    ceilings: Ceilings
    networks: list[Measured] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Write JSON."""
        write_text(path, json.dumps(asdict(self), indent=1, allow_nan=False) + "\n")

    @classmethod
    def read(cls, path: Path) -> Report:
        """Read what `save` wrote."""
        page = json.loads(path.read_text(encoding="utf-8"))
        ceilings = Ceilings(**page["ceilings"])
        return cls(page["command"], page["device"], ceilings, [_measured(part) for part in page["networks"]])


def _measured(part: Mapping) -> Measured:
    lists: dict[str, Sequence] = {
        "cells": [Cell(**cell) for cell in part["cells"]],
        "agreements": [Agreement(**agreement) for agreement in part["agreements"]],
        "failures": [Failure(**failure) for failure in part["failures"]],
    }
    return Measured(**{**part, **lists})
