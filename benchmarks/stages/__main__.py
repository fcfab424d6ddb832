"""How fast is each network alone in PyTorch, by batch and precision, and how near to what the device can do?

python -m benchmarks.stages [--device cuda] [--out benchmarks/results] [--minutes 2.75] [--only NAME ..]

Needs PyTorch, transformers, onnx, safetensors, tokenizers, typer and this checkout: neither Triton nor PyAV, nothing
installed, no network. Writes stages_<card>.json and .md after each network, and goes on from there when it is called
again. With --device cpu the whole script runs once through on small batches, to try what could fail.
"""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path
from typing import Annotated

import torch
import typer
from transformers.utils import logging

from benchmarks.stages import ceilings, page
from benchmarks.stages.measuring import measure
from benchmarks.stages.networks import LEFT_OUT, NETWORKS, Network
from benchmarks.stages.plan import PLANS, Plan
from benchmarks.stages.results import Report

RESULTS = Path(__file__).parents[1] / "results"
LOST = 3
"""Exit status when the CUDA context is lost: the same command, given again, goes on with the next network."""


def main(
    device: Annotated[str, typer.Option(help="cuda or cpu")] = "cuda",
    out: Annotated[Path, typer.Option(help="the folder of the results")] = RESULTS,
    minutes: Annotated[float, typer.Option(help="no network is begun later")] = 2.75,
    only: Annotated[list[str] | None, typer.Option(help="names of networks; all when left out")] = None,
) -> None:
    """Measure each network alone, and write what is measured after each."""
    plan, chosen = _plan(device), _chosen(only)
    warnings.filterwarnings("ignore", category=UserWarning)  # PyTorch's advice on TF32 and on the weights of an LSTM
    logging.set_verbosity_error()
    end_s = time.monotonic() + 60 * minutes
    facts = ceilings.describe(plan)
    name = f"stages_{ceilings.slug(facts['name'])}"
    out.mkdir(parents=True, exist_ok=True)
    report = _begin(out / f"{name}.json", facts, plan)
    for network in chosen:
        if time.monotonic() > end_s:
            say("the time is up")
            break
        if network.name not in {done.name for done in report.networks}:
            report.networks.append(measure(network, plan, say))
            _write(report, out / name, chosen)
            if not _alive(plan):
                say(f"the CUDA context is lost with {network.name}: give the same command again")
                sys.exit(LOST)
    _write(report, out / name, chosen)
    say(f"results: {out / name}.md and .json")


def say(line: str) -> None:
    """Print at once: a run that is cut off shows how far it came."""
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def _plan(device: str) -> Plan:
    if device not in PLANS:
        raise typer.BadParameter(f"there is no device {device}: use cuda or cpu")
    if device == "cuda" and not torch.cuda.is_available():
        raise typer.BadParameter(f"PyTorch {torch.__version__} finds no CUDA device here: use --device cpu")
    return PLANS[device]


def _chosen(only: list[str] | None) -> list[Network]:
    known = {network.name: network for network in NETWORKS}
    unknown = [name for name in only or () if name not in known]
    if unknown:
        raise typer.BadParameter(f"there is no network {', '.join(unknown)}: there are {', '.join(known)}")
    return [known[name] for name in only or known]


def _begin(path: Path, facts: dict[str, str], plan: Plan) -> Report:
    """Return the report of an earlier run on the same device, to go on with, or a new one with its ceilings."""
    command = f"python -m benchmarks.stages --device {plan.device}"
    if path.is_file():
        report = Report.read(path)
        if all(report.device.get(key) == facts[key] for key in ("name", "torch", "transformers")):
            say(f"going on with {path}, which has {len(report.networks)} networks")
            return report
    say(f"ceilings of {facts['name']}")
    report = Report(command, facts, ceilings.measure(plan))
    say(str(report.ceilings))
    return report


def _write(report: Report, stem: Path, chosen: list[Network]) -> None:
    done = {network.name for network in report.networks}
    missing = [network.name for network in chosen if network.name not in done]
    report.save(stem.with_suffix(".json"))
    stem.with_suffix(".md").write_text(page.write(report, LEFT_OUT, missing), encoding="utf-8")


def _alive(plan: Plan) -> bool:
    """Tell whether the device still answers, its memory given back: some errors end a process's CUDA context."""
    try:
        torch.cuda.empty_cache()  # does nothing where there is no GPU
        return bool(torch.ones(1, device=plan.device).sum().item() == 1)
    except RuntimeError:
        return False


if __name__ == "__main__":
    typer.run(main)
