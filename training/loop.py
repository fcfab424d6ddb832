"""One plain training loop for every channel: warm-up and cosine, EMA, exact resume, early stopping, a log.

The loop knows nothing of faces or voices. A channel gives it batches, a loss and an evaluation, and takes no care of
the device: the model comes on the CPU and is there again afterwards.

    task = Task(batches_per_epoch, batches, loss, evaluate)
    history = fit(model, task, Settings(epochs=20), Path("runs/face"))

The run's folder then holds `checkpoint.pt` (to resume from), `best.safetensors` (the averaged weights of the best
epoch) and `log.jsonl`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, SequentialLR
from torch.optim.swa_utils import PARAM_LIST, AveragedModel, get_ema_multi_avg_fn

from training import device as devices
from triptych.errors import TriptychError
from triptych.files import write_atomically, write_text

CHECKPOINT = "checkpoint.pt"
BEST = "best.safetensors"
LOG = "log.jsonl"
FORMAT = "triptych-checkpoint/2"
"""What a checkpoint holds, and how the average and the rate are counted in it."""

Log = list[dict[str, float]]
"""One row an epoch: "epoch", "train_loss", what `Task.evaluate` gives, and "seconds"."""


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
    """"bf16", "fp32", or "auto": bf16 where the device multiplies it natively (elsewhere it is slower than fp32)."""
    device: str = devices.AUTO
    """One of `training.device.NAMES`. A run may go on on another device, though not to the same bits."""

    def on(self, device: str) -> Settings:
        """Return the same for another device."""
        return replace(self, device=device)


@dataclass(frozen=True)
class Task:
    """What is learnt. Generators seed everything random, so that a resumed run equals an uninterrupted one."""

    batches_per_epoch: int
    batches: Callable[[int, torch.Generator], Iterable[Any]]
    """(epoch from 0, generator) -> the epoch's batches: tensors, or tuples of them, on the CPU."""
    loss: Callable[[nn.Module, Any], Tensor]
    """(model, batch, both on the run's device) -> scalar."""
    evaluate: Callable[[nn.Module], Mapping[str, float]]
    """(model in evaluation mode, on the run's device) -> at least "loss" and "score" (higher is better) on validation
    data; see `training.device.predict`."""
    choose_best: bool = True
    """Keep the best epoch, and stop when it is long past. Otherwise the last one is kept: in cross-validation,
    choosing by what is held out would flatter."""


@dataclass
class _Run:
    """Everything that a checkpoint keeps."""

    model: nn.Module
    average: AveragedModel
    optimizer: torch.optim.Optimizer
    scheduler: LRScheduler
    history: Log = field(default_factory=list)

    @classmethod
    def begin(cls, model: nn.Module, task: Task, settings: Settings) -> _Run:
        """Return a run that has not seen a batch yet, its model moved to the device."""
        model.to(devices.resolve(settings.device))
        optimizer = _adamw(model, settings)
        average = AveragedModel(model, multi_avg_fn=_average(settings.ema_decay), use_buffers=True)
        return cls(model, average, optimizer, rate_schedule(optimizer, settings, task.batches_per_epoch))

    @property
    def updates(self) -> int:
        """How many steps of the optimiser were taken."""
        return int(self.average.n_averaged)


def fit(model: nn.Module, task: Task, settings: Settings, out: Path) -> Log:
    """Train `model` in place, ending with the averaged weights of its best epoch; return the log, one dict an epoch.

    Resumes from `out/checkpoint.pt` if there is one. TriptychError when that was made with other settings or of another
    model, the data is less than a batch, there is no such device, the loss becomes NaN, or the disk is full (the last
    complete checkpoint stays).
    """
    if task.batches_per_epoch < 1:
        raise TriptychError("there is less training data than one batch: --data needs more of it")
    out.mkdir(parents=True, exist_ok=True)
    run = _Run.begin(model, task, settings)
    _resume(run, settings, out)
    with _progress() as progress:
        for epoch in range(len(run.history), settings.epochs):
            if task.choose_best and _stale(run.history) >= settings.patience:
                break
            started = time.monotonic()
            train_loss = _train_epoch(run, task, settings, epoch, progress)
            row = {"epoch": epoch + 1, "train_loss": train_loss, **_evaluate(run.average.module, task)}
            run.history.append(row | {"seconds": round(time.monotonic() - started, 1)})
            if _stale(run.history) == 0 or not task.choose_best:
                weights = {name: value.contiguous() for name, value in run.average.module.state_dict().items()}
                write_atomically(out / BEST, lambda path, weights=weights: save_file(weights, path))
            _keep(run, settings, out)
    with _reading(out / BEST):
        model.load_state_dict(load_file(out / BEST))
    model.to("cpu")
    return run.history


def rate_schedule(optimizer: torch.optim.Optimizer, settings: Settings, batches_per_epoch: int) -> LRScheduler:
    """Return the rate of each update: a linear warm-up of whole updates, then half a cosine down to 0 at the last."""
    updates, warmup = (round(epochs * batches_per_epoch) for epochs in (settings.epochs, settings.warmup_epochs))
    cosine = CosineAnnealingLR(optimizer, T_max=max(updates - warmup, 1))
    if warmup < 2:  # the last update of a warm-up has the full rate, so one of a single update is none
        return cosine
    rise = LinearLR(optimizer, start_factor=1 / warmup, total_iters=warmup - 1)
    return SequentialLR(optimizer, [rise, cosine], milestones=[warmup - 1])


def use_bf16(precision: str, device: torch.device) -> bool:
    """Return whether to train under bf16 autocast; see `Settings.precision`."""
    return devices.has_bf16(device) if precision == "auto" else precision == "bf16"


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
    total = 0.0
    for batch in batches:
        total += _update(run, task, settings, batch)
        progress.update(bar, advance=1)
    progress.remove_task(bar)
    return total / task.batches_per_epoch


def _update(run: _Run, task: Task, settings: Settings, batch: Any) -> float:
    """Take one step of the optimiser, of the rate and of the average; return the loss."""
    device = devices.resolve(settings.device)
    with torch.autocast(device.type, torch.bfloat16, enabled=use_bf16(settings.precision, device)):
        loss = task.loss(run.model, devices.move(batch, device))
    if not torch.isfinite(loss):
        raise TriptychError(f"the loss became {loss.item()} after {run.updates} updates: lower the learning rate")
    run.optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(run.model.parameters(), settings.clip_norm)
    run.optimizer.step()
    run.scheduler.step()
    run.average.update_parameters(run.model)
    return loss.item()


def _average(decay: float) -> Callable[[PARAM_LIST, PARAM_LIST, Tensor | int], None]:
    """Return what moves averaged weights and statistics towards the model's, in place; whole numbers are copied.

    The first averages forget sooner, so that they do not remember the random start.
    """

    def move(averages: PARAM_LIST, currents: PARAM_LIST, updates: Tensor | int) -> None:
        if not averages[0].is_floating_point():  # tensors of one call are of one type
            for average, current in zip(averages, currents, strict=True):
                average.copy_(current)
            return
        count = int(updates)
        get_ema_multi_avg_fn(min(decay, (1 + count) / (10 + count)))(averages, currents, updates)

    return move


def _evaluate(model: nn.Module, task: Task) -> dict[str, float]:
    with torch.inference_mode():
        return dict(task.evaluate(model.eval()))


def _stale(history: Log) -> int:
    """Return for how many epochs the score has not risen."""
    scores = [row["score"] for row in history]
    return len(scores) - 1 - scores.index(max(scores)) if scores else 0


def _keep(run: _Run, settings: Settings, out: Path) -> None:
    """Write the checkpoint and the log."""
    state = {
        "format": FORMAT,
        "model": run.model.state_dict(),
        "average": run.average.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "scheduler": run.scheduler.state_dict(),
        "history": run.history,
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
        if state.get("format") != FORMAT:
            raise TriptychError(
                f"{path} was written by another release of Triptych, which counted otherwise: choose another --out, or "
                "delete it to start anew"
            )
        if _comparable(state["settings"]) != _comparable(asdict(settings)):
            raise TriptychError(f"{path} was made with other settings ({state['settings']}): choose another --out")
        run.model.load_state_dict(state["model"])
        run.average.load_state_dict(state["average"])
        run.optimizer.load_state_dict(state["optimizer"])
        run.scheduler.load_state_dict(state["scheduler"])
        run.history = state["history"]


def _comparable(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that a resumed run must share with the interrupted one."""
    return {name: value for name, value in settings.items() if name != "device"}


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))
