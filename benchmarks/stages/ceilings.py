"""What a device does at best: large products, copies, launches; and what device it is."""

from __future__ import annotations

import platform
import re
import subprocess
import time
from importlib.metadata import version

import torch
from torch import Tensor

from benchmarks.stages.plan import HALVES, PRECISIONS, Plan, precision
from benchmarks.stages.results import Ceilings
from benchmarks.stages.timing import MIB, captured, times

LAUNCHES = 1000
BUSY = 600
"""Products that keep a GPU at work while the driver is asked for its clock."""
QUERY = ("name", "driver_version", "clocks.sm", "clocks.max.sm", "clocks.mem", "power.limit", "temperature.gpu")


@torch.inference_mode()
def measure(plan: Plan) -> Ceilings:
    """Return the device's ceilings."""
    on_gpu = plan.device == "cuda"
    return Ceilings(
        tflops={name: _product_tflops(name, plan) for name in PRECISIONS},
        copy_gbs=2 * _copy_gbs(torch.empty(plan.copy_mib * MIB, dtype=torch.uint8, device=plan.device), plan),
        pinned_gbs=_copy_gbs(torch.empty(plan.copy_mib * MIB // 4, dtype=torch.uint8).pin_memory(), plan)
        if on_gpu
        else None,
        pageable_gbs=_copy_gbs(torch.ones(plan.copy_mib * MIB // 4, dtype=torch.uint8), plan) if on_gpu else None,
        launch_us=_launch_us(plan, as_graph=False),
        graph_us=_launch_us(plan, as_graph=True) if on_gpu else None,
    )


def _product_tflops(name: str, plan: Plan) -> float:
    """Return the TFLOP/s of a product of two square matrices in a precision."""
    side = plan.matmul
    left, right = (torch.randn(side, side, device=plan.device).to(HALVES.get(name, torch.float32)) for _ in range(2))
    with precision(name):
        return 2 * side**3 / min(times(lambda: left @ right, plan)[0]) / 1e12


def _copy_gbs(source: Tensor, plan: Plan) -> float:
    """Return the GB/s, written bytes, of copying to the device."""
    target = torch.empty_like(source, device=plan.device)
    return source.numel() / min(times(lambda: target.copy_(source, non_blocking=True), plan)[0]) / 1e9


def _launch_us(plan: Plan, as_graph: bool) -> float:
    """Return the microseconds of one addition to one number, among many in a row."""
    number = torch.zeros(1, device=plan.device)

    def many() -> None:
        for _ in range(LAUNCHES):
            number.add_(1)

    run = captured(many) if as_graph else many
    return min(times(run, plan)[0]) / LAUNCHES * 1e6


def describe(plan: Plan) -> dict[str, str]:
    """Return what the figures are of: the device, at work, its driver, and the libraries."""
    device = _gpu(plan) if plan.device == "cuda" else {"name": f"CPU, {torch.get_num_threads()} threads"}
    if plan.depth is not None:
        device["cut"] = f"batches to {plan.batches}, {plan.depth} layers of large networks: a rehearsal, not a measure"
    return device | {
        "host": f"{platform.machine()}, Python {platform.python_version()}",
        "torch": f"{torch.__version__}, CUDA {torch.version.cuda or 'none'}",
        "transformers": version("transformers"),
    }


def _gpu(plan: Plan) -> dict[str, str]:
    """Ask the driver while products run, so that the clock is that of work."""
    busy = torch.randn(plan.matmul, plan.matmul, device="cuda").half()
    for _ in range(BUSY):
        torch.mm(busy, busy)
    time.sleep(0.1)  # the clock rises within milliseconds of the first product
    command = ["nvidia-smi", f"--query-gpu={','.join(QUERY)}", "--format=csv,noheader", "--id=0"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
        told = dict(zip(QUERY, (value.strip() for value in answer.strip().split(","))))
    except (OSError, subprocess.SubprocessError) as error:
        told = {"driver": f"nvidia-smi did not say: {error}"}
    torch.cuda.synchronize()
    properties = torch.cuda.get_device_properties(0)
    return told | {
        "name": properties.name,
        "memory": f"{properties.total_memory / (1 << 30):.1f} GiB",
        "multiprocessors": str(properties.multi_processor_count),
        "compute capability": f"{properties.major}.{properties.minor}",
        "cudnn": str(torch.backends.cudnn.version()),
    }


def slug(name: str) -> str:
    """Return a short name for files: "NVIDIA H100 80GB HBM3" -> "h100", "CPU, 2 threads" -> "cpu"."""
    words = name.lower().removeprefix("nvidia").replace(",", " ").split()
    models = [word for word in words if re.fullmatch(r"[a-z]+\d+\w*", word)]
    return re.sub(r"[^a-z0-9]+", "_", (models or words or ["unknown"])[0]).strip("_")
