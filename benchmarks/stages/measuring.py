"""One network, measured: every batch in every precision, called from Python and as a CUDA graph, and compared."""

from __future__ import annotations

import copy
import gc
import statistics
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from transformers.models.swinv2.modeling_swinv2 import Swinv2Layer

from benchmarks.stages import timing
from benchmarks.stages.networks import Network
from benchmarks.stages.page import ON_CPU
from benchmarks.stages.plan import HALVES, PRECISIONS, Plan, cast, lowered, precision
from benchmarks.stages.results import EAGER, GRAPH, Cell, Failure, Measured

GRAPH_UNDER_S = 0.25
"""Calls that take longer gain nothing from being a graph."""

Say = Callable[[str], None]


def measure(network: Network, plan: Plan, say: Say) -> Measured:
    """Return all that can be measured of a network. Whatever it raises is noted, and the rest measured all the same."""
    measured = Measured(network.name, network.step, network.weights, network.unit)
    say(f"{network.name}: {network.weights} weights")
    try:
        _Bench(network, plan, say, measured).run()
    except Exception as error:
        _note(measured, say, "everything else", error)
    gc.collect()
    return measured


def _note(measured: Measured, say: Say, what: str, error: Exception) -> None:
    reason = str(error).strip().splitlines() or [type(error).__name__]
    measured.failures.append(Failure(what, f"{type(error).__name__}: {reason[0]}"[:300]))
    say(f"  {what} failed: {measured.failures[-1].why}")


class _Bench:
    """A network on the device, in float32, and what is needed to measure it."""

    def __init__(self, network: Network, plan: Plan, say: Say, measured: Measured) -> None:
        self.network, self.plan, self.say, self.measured = network, plan, say, measured
        self.memory = timing.Memory(plan.device)
        self.module = ready(network.build(plan).to(plan.device))
        self.sizes = plan.sizes(network.batches)
        self.compared = self.sizes[min(1, len(self.sizes) - 1)]
        """The batch whose outputs are compared."""
        self.wanted: Any = None
        """What float32 answers to it."""
        self.graphs = plan.device == "cuda"

    @torch.inference_mode()
    def run(self) -> None:
        """Measure."""
        reads = self.network.reads(self.plan)
        self.measured.weights_read = timing.weights_read(self.module)
        self.measured.bytes_fp32 = 4 * reads * self.measured.weights_read
        with precision("fp32"):
            self.measured.gflops = timing.gflops(self.module, self.inputs(1))
            self.against_cpu()
        for name in PRECISIONS:
            try:
                with precision(name):
                    self.in_precision(name)
            except Exception as error:
                _note(self.measured, self.say, name, error)

    def inputs(self, batch: int) -> tuple[Tensor, ...]:
        """Return the same inputs each time."""
        generator = torch.Generator(self.plan.device).manual_seed(batch)
        return self.network.inputs(batch, generator)

    def against_cpu(self) -> None:
        """Compare with the same network on the CPU; there, with itself."""
        inputs = self.inputs(1)
        wanted = ready(copy.deepcopy(self.module).cpu())(*(tensor.cpu() for tensor in inputs))
        self.compare(ON_CPU, self.module(*inputs), wanted, 1)

    def in_precision(self, name: str) -> None:
        """Measure every batch in one precision."""
        module, memory = self.module, self.memory
        if name in HALVES:
            memory = timing.Memory(self.plan.device)
            module = ready(lowered(copy.deepcopy(self.module), self.network.parts, HALVES[name]))
        for batch in self.sizes:
            inputs = self.inputs(batch)
            if name in HALVES and not self.network.parts:
                inputs = cast(inputs, HALVES[name])
            self.cells(module, inputs, batch, name, memory)

    def cells(
        self, module: nn.Module, inputs: tuple[Tensor, ...], batch: int, name: str, memory: timing.Memory
    ) -> None:
        """Measure one batch in one precision: eager, then as a graph."""
        median_s, outputs = self.cell(lambda: module(*inputs), batch, name, EAGER, memory)
        if batch == self.compared and name == "fp32":
            self.wanted = outputs
        elif batch == self.compared and self.wanted is not None:
            self.compare(f"{name} against fp32", outputs, self.wanted, batch)
        if self.graphs and median_s < GRAPH_UNDER_S:
            try:
                _, replayed = self.cell(timing.captured(lambda: module(*inputs)), batch, name, GRAPH, memory)
                if batch == self.compared:
                    self.compare(f"{name}, graph against eager", replayed, outputs, batch)
            except Exception as error:
                self.graphs = False
                _note(self.measured, self.say, "CUDA graphs", error)

    def cell(self, run: timing.Run, batch: int, name: str, mode: str, memory: timing.Memory) -> tuple[float, Any]:
        """Time one cell; return its median, and what the last call returned."""
        memory.restart()
        taken, outputs = timing.times(run, self.plan)
        median_s = statistics.median(taken)
        self.measured.cells.append(Cell(batch, name, mode, median_s, min(taken), len(taken), memory.peak_mib()))
        self.say(f"  {name} batch {batch} {mode}: {1000 * median_s:.3f} ms")
        return median_s, outputs

    def compare(self, what: str, got: Any, wanted: Any, batch: int) -> None:
        """Note how far outputs are from others."""
        self.measured.agreements.append(timing.agreement(what, got, wanted, batch, self.network.classes))
        self.say(f"  {self.measured.agreements[-1]}")


def ready(module: nn.Module) -> nn.Module:
    """Let Swin-V2 make the masks of its shifted windows once and keep them, in place.

    Some releases of transformers make them on the host in each call; an exported graph has them as constants.
    """
    for layer in module.modules():
        if isinstance(layer, Swinv2Layer):
            vars(layer)["get_attn_mask"] = _kept(layer)
    return module.eval().requires_grad_(False)


def _kept(layer: Swinv2Layer) -> Callable[..., Tensor | None]:
    masks: dict[tuple[int, int, torch.dtype], Tensor | None] = {}

    def kept(height: int, width: int, dtype: torch.dtype, **_: Any) -> Tensor | None:
        key = (height, width, dtype)
        if key not in masks:
            mask = Swinv2Layer.get_attn_mask(layer, height, width, dtype)
            masks[key] = None if mask is None else mask.to(next(layer.parameters()).device)
        return masks[key]

    return kept
