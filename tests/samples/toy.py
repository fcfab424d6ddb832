"""A toy problem for the training loop: which of two numbers is larger."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from training.loop import Settings, Task

SETTINGS = Settings(epochs=4, learning_rate=0.05, warmup_epochs=1, ema_decay=0.9, precision="fp32", device="cpu")


def toy_model() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(2, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 2))


def toy_task(stop_at: int | None = None, **changes: object) -> Task:
    """Which of two numbers is larger. Interrupted at the start of epoch `stop_at`."""
    held_out = torch.randn(200, 2, generator=torch.Generator().manual_seed(5))

    def batches(epoch: int, generator: torch.Generator) -> Iterable[Tensor]:
        if epoch == stop_at:
            raise KeyboardInterrupt
        return [torch.randn(32, 2, generator=generator) for _ in range(20)]

    def loss(model: nn.Module, x: Tensor) -> Tensor:
        return cross_entropy(model(x), (x[:, 0] > x[:, 1]).long())

    def evaluate(model: nn.Module) -> dict[str, float]:
        right = model(held_out).argmax(1) == (held_out[:, 0] > held_out[:, 1]).long()
        return {"loss": float(loss(model, held_out)), "score": float(right.float().mean())}

    return replace(Task(20, batches, loss, evaluate), **changes)  # type: ignore[arg-type]
