"""Times, memory, arithmetic and agreement of a module's calls, on a CPU or a GPU."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils import _pytree as pytree
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.stages.plan import Plan
from benchmarks.stages.results import Agreement

MIB = 1 << 20
MOST_REPEATS = 200
LONG_S = 0.5
"""A call that takes longer needs no further warming up."""
TABLES = ("word_embeddings.weight", "position_embeddings.weight", "embedding.weight", "decoder.embedding", "positions")
TABLES_OF_BITS = (".nibbles", ".scales", "row_of_piece")
"""Names of tensors of which a call reads a few rows only."""

Run = Callable[[], Any]


def times(run: Run, plan: Plan) -> tuple[list[float], Any]:
    """Return the seconds of repeated calls, each waited for, and what the last one returned.

    As many calls as the plan has time for, after warming up, where the plan has time at all.
    """
    repeats = plan.least
    if plan.cell_s:
        first_s, _ = _once(run, plan.device)
        if first_s < LONG_S:
            _once(run, plan.device)
            first_s, _ = _once(run, plan.device)
        repeats = max(plan.least, min(MOST_REPEATS, int(plan.cell_s / first_s)))
    taken = [_once(run, plan.device)[0] for _ in range(repeats - 1)]
    last_s, outputs = _once(run, plan.device)
    return [*taken, last_s], outputs


def _once(run: Run, device: str) -> tuple[float, Any]:
    if device == "cpu":
        start_s = time.perf_counter()
        outputs = run()
        return time.perf_counter() - start_s, outputs
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    start.record()
    outputs = run()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1000, outputs


def captured(run: Run) -> Run:
    """Return what replays a call as a CUDA graph, and returns the outputs that a replay fills.

    The call runs beside the default stream first, as capturing asks for. RuntimeError when something in it waits for
    the device, or copies from the host.
    """
    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(2):
            run()
    torch.cuda.current_stream().wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        outputs = run()

    def replay() -> Any:
        graph.replay()
        return outputs

    return replay


class Memory:
    """Memory of a GPU from now on, above what is taken now."""

    def __init__(self, device: str) -> None:
        self.on_gpu = device == "cuda"
        self.before = torch.cuda.memory_allocated() if self.on_gpu else 0

    def restart(self) -> None:
        """Forget the peak so far."""
        if self.on_gpu:
            torch.cuda.reset_peak_memory_stats()

    def peak_mib(self) -> float | None:
        """Return the peak since `restart`; None on a CPU."""
        return (torch.cuda.max_memory_allocated() - self.before) / MIB if self.on_gpu else None


def gflops(module: nn.Module, inputs: Sequence[Tensor], rows: int = 1) -> float:
    """Return the arithmetic of one row in 10^9 operations, an addition and a multiplication being two.

    PyTorch counts products and convolutions; attention is written out for it, since not every kernel of it is counted.
    """
    counter = FlopCounterMode(display=False, custom_mapping=_lstms())
    with counter, sdpa_kernel(SDPBackend.MATH):
        module(*inputs)
    return counter.get_total_flops() / rows / 1e9


def _lstms() -> dict[Any, Any]:
    """Return how to count this project's LSTM operator, where it is registered."""

    def count(
        sequence: Sequence[int], weight: Sequence[int], recurrent: Sequence[int], *rest: Any, **kwargs: Any
    ) -> int:
        rows, length, _ = sequence
        return 2 * rows * length * (weight[0] * weight[1] + recurrent[0] * recurrent[1])

    lstm = getattr(torch.ops.triptych, "lstm", None)
    return {} if lstm is None else {lstm: count}


def weights_read(module: nn.Module) -> int:
    """Return how many weights a call reads all of: not those of tables that rows are taken from."""
    tables = (*TABLES, *TABLES_OF_BITS)
    tensors = [*module.named_parameters(), *module.named_buffers()]
    return sum(tensor.numel() for name, tensor in tensors if not name.endswith(tables))


def agreement(what: str, got: Any, wanted: Any, batch: int, classes: bool) -> Agreement:
    """Compare outputs: those with fractions by their values, the choice of a class, or chosen ids, one by one."""
    pairs = [(a.detach().cpu(), b.detach().cpu()) for a, b in zip(pytree.tree_leaves(got), pytree.tree_leaves(wanted))]
    values = [(a.double().flatten(), b.double().flatten()) for a, b in pairs if b.is_floating_point()]
    if not all(bool(side.isfinite().all()) for pair in values for side in pair):
        return Agreement(what, batch, None, None, None, None)
    ids = [(a, b) for a, b in pairs if not b.is_floating_point()]
    if classes and not ids:
        ids = [tuple(side.argmax(-1) for side in pairs[0])]
    return Agreement(
        what,
        batch,
        max(float((a - b).abs().max()) for a, b in values),
        max(float(b.abs().max()) for _, b in values),
        min(float(torch.cosine_similarity(a, b, dim=0)) for a, b in values),
        sum(float((a == b).float().mean()) for a, b in ids) / len(ids) if ids else None,
    )
