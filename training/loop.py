"""One plain training loop for every channel: warm-up and cosine, EMA, exact resume, early stopping, a log.

The loop knows nothing of faces or voices. A channel gives it batches, a loss and an evaluation:

    task = Task(batches_per_epoch, batches, loss, evaluate)
    history = fit(model, task, Settings(epochs=20), Path("runs/face"))

The run's folder then holds `checkpoint.pt` (to resume from), `best.safetensors` (the averaged weights of the best
epoch) and `log.jsonl`.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from triptych.errors import TriptychError
from triptych.files import write_atomically, write_text

CHECKPOINT = "checkpoint.pt"
BEST = "best.safetensors"
LOG = "log.jsonl"


@dataclass(frozen=True)
class Settings:
    """What a run can vary. The rate is that of AdamW (Loshchilov and Hutter 2019)."""

    epochs: int
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warmup_epochs: float = 1.0
    ema_decay: float = 0.999
    clip_norm: float = 5.0
    patience: int = 10
    """Epochs without a better score on validation before the run stops."""
    seed: int = 0
    precision: str = "auto"
    """"bf16", "fp32", or "auto": bf16 where the processor multiplies it natively (elsewhere it is slower than fp32)."""


@dataclass(frozen=True)
class Task:
    """What is learnt. Generators seed everything random, so that a resumed run equals an uninterrupted one."""

    batches_per_epoch: int
    batches: Callable[[int, torch.Generator], Iterable[Any]]
    """(epoch from 0, generator) -> the epoch's batches."""
    loss: Callable[[nn.Module, Any], Tensor]
    """(model, batch) -> scalar."""
    evaluate: Callable[[nn.Module], Mapping[str, float]]
    """(model in evaluation mode) -> at least "loss" and "score" (higher is better) on validation data."""
    choose_best: bool = True
    """Keep the best epoch, and stop when it is long past. Otherwise the last one is kept: in cross-validation,
    choosing by what is held out would flatter."""


@dataclass
class _Run:
    """Everything that a checkpoint keeps."""

    model: nn.Module
    average: nn.Module
    optimizer: torch.optim.Optimizer
    history: list[dict[str, float]] = field(default_factory=list)
    updates: int = 0


def fit(model: nn.Module, task: Task, settings: Settings, out: Path) -> list[dict[str, float]]:
    """Train `model` in place, ending with the averaged weights of its best epoch; return the log, one dict an epoch.

    Resumes from `out/checkpoint.pt` if there is one. TriptychError when that was made with other settings or of another
    model, the data is less than a batch, the loss becomes NaN, or the disk is full (the last complete checkpoint
    stays).
    """
    if task.batches_per_epoch < 1:
        raise TriptychError("there is less training data than one batch: --data needs more of it")
    out.mkdir(parents=True, exist_ok=True)
    run = _Run(model, copy.deepcopy(model).eval(), _adamw(model, settings))
    _resume(run, settings, out)
    with _progress() as progress:
        for epoch in range(len(run.history), settings.epochs):
            if task.choose_best and _stale(run.history) >= settings.patience:
                break
            started = time.monotonic()
            train_loss = _train_epoch(run, task, settings, epoch, progress)
            row = {"epoch": epoch + 1, "train_loss": train_loss, **_evaluate(run.average, task)}
            run.history.append(row | {"seconds": round(time.monotonic() - started, 1)})
            if _stale(run.history) == 0 or not task.choose_best:
                weights = {name: value.contiguous() for name, value in run.average.state_dict().items()}
                write_atomically(out / BEST, lambda path, weights=weights: save_file(weights, path))
            _keep(run, settings, out)
    with _reading(out / BEST):
        model.load_state_dict(load_file(out / BEST))
    return run.history


def learning_rate(settings: Settings, progress: float) -> float:
    """Return the rate at `progress` epochs (a fraction): linear warm-up, then half a cosine down to 0."""
    if progress < settings.warmup_epochs:
        return settings.learning_rate * progress / settings.warmup_epochs
    rest = (progress - settings.warmup_epochs) / max(settings.epochs - settings.warmup_epochs, 1e-9)
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * min(rest, 1.0)))


def use_bf16(precision: str) -> bool:
    """Return whether to train under bf16 autocast; see `Settings.precision`."""
    if precision != "auto":
        return precision == "bf16"
    features = torch.cpu.get_capabilities()
    return bool(features.get("amx_bf16") or features.get("avx512_bf16"))


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what goes wrong while a file of an earlier run is read into a TriptychError."""
    try:
        yield
    except (OSError, EOFError, RuntimeError, KeyError, ValueError, UnpicklingError, SafetensorError) as error:
        raise TriptychError(
            f"{path} is damaged, or of another model ({type(error).__name__}): choose another --out, or delete it to "
            "start anew"
        ) from error


def _adamw(model: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    """AdamW that decays matrices and kernels only, not biases, gains and norms."""
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate)


def _train_epoch(run: _Run, task: Task, settings: Settings, epoch: int, progress: Progress) -> float:
    """Run one epoch; return the mean training loss."""
    seed = settings.seed * 1_000_003 + epoch
    torch.manual_seed(seed)
    batches = task.batches(epoch, torch.Generator().manual_seed(seed))
    bar = progress.add_task(f"epoch {epoch + 1}/{settings.epochs}", total=task.batches_per_epoch)
    run.model.train()
    total = torch.zeros(())
    for index, batch in enumerate(batches):
        rate = learning_rate(settings, epoch + (index + 1) / task.batches_per_epoch)
        total += _update(run, task, settings, batch, rate)
        progress.update(bar, advance=1)
    progress.remove_task(bar)
    return float(total) / task.batches_per_epoch


def _update(run: _Run, task: Task, settings: Settings, batch: Any, rate: float) -> Tensor:
    """Take one step of the optimiser and of the average; return the loss."""
    for group in run.optimizer.param_groups:
        group["lr"] = rate
    with torch.autocast("cpu", torch.bfloat16, enabled=use_bf16(settings.precision)):
        loss = task.loss(run.model, batch)
    if not torch.isfinite(loss):
        raise TriptychError(f"the loss became {loss.item()} after {run.updates} updates: lower the learning rate")
    run.optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(run.model.parameters(), settings.clip_norm)
    run.optimizer.step()
    run.updates += 1
    _average(run.average, run.model, min(settings.ema_decay, (1 + run.updates) / (10 + run.updates)))
    return loss.detach()


@torch.no_grad()
def _average(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Move the exponential moving average of weights and statistics towards the model."""
    current = model.state_dict()
    for name, value in average.state_dict().items():
        if value.is_floating_point():
            value.lerp_(current[name], 1 - decay)
        else:
            value.copy_(current[name])


def _evaluate(model: nn.Module, task: Task) -> dict[str, float]:
    with torch.inference_mode():
        return dict(task.evaluate(model.eval()))


def _stale(history: list[dict[str, float]]) -> int:
    """Return for how many epochs the score has not risen."""
    scores = [row["score"] for row in history]
    return len(scores) - 1 - scores.index(max(scores)) if scores else 0


def _keep(run: _Run, settings: Settings, out: Path) -> None:
    """Write the checkpoint and the log."""
    state = {
        "model": run.model.state_dict(),
        "average": run.average.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "history": run.history,
        "updates": run.updates,
        "settings": asdict(settings),
    }
    write_atomically(out / CHECKPOINT, lambda path: torch.save(state, path))
    lines = "".join(json.dumps(row) + "\n" for row in run.history)
    write_text(out / LOG, lines)


def _resume(run: _Run, settings: Settings, out: Path) -> None:
    path = out / CHECKPOINT
    if not path.exists():
        return
    with _reading(path):
        state = torch.load(path, map_location="cpu", weights_only=True)
        if state["settings"] != asdict(settings):
            raise TriptychError(f"{path} was made with other settings ({state['settings']}): choose another --out")
        run.model.load_state_dict(state["model"])
        run.average.load_state_dict(state["average"])
        run.optimizer.load_state_dict(state["optimizer"])
        run.history, run.updates = state["history"], state["updates"]


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))
