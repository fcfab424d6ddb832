"""The training loop on a toy problem: it learns, resumes exactly, and keeps what it has when something breaks."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from samples.toy import SETTINGS, toy_model, toy_task
from training import loop
from training.loop import Settings, fit
from triptych import files
from triptych.errors import TriptychError


def test_learns_and_logs(tmp_path: Path) -> None:
    history = fit(toy_model(), toy_task(), SETTINGS, tmp_path)
    assert history[-1]["score"] > 0.95
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    assert [json.loads(line) for line in (tmp_path / loop.LOG).read_text(encoding="utf-8").splitlines()] == history


def test_resumed_run_equals_uninterrupted(tmp_path: Path) -> None:
    whole, resumed = toy_model(), toy_model()
    fit(whole, toy_task(), SETTINGS, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(toy_model(), toy_task(stop_at=2), SETTINGS, tmp_path / "parts")
    history = fit(resumed, toy_task(), SETTINGS, tmp_path / "parts")
    assert len(history) == SETTINGS.epochs
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, rtol=0, atol=0)


def test_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    history = fit(toy_model(), toy_task(), SETTINGS, tmp_path)
    again = toy_model()
    assert fit(again, toy_task(stop_at=0), SETTINGS, tmp_path) == history


def test_refuses_a_checkpoint_of_other_settings(tmp_path: Path) -> None:
    fit(toy_model(), toy_task(), SETTINGS, tmp_path)
    with pytest.raises(TriptychError, match="choose another --out"):
        fit(toy_model(), toy_task(), replace(SETTINGS, seed=7), tmp_path)


def test_stops_early_with_the_best_epoch(tmp_path: Path) -> None:
    scores = iter((0.1, 0.9, 0.5, 0.5, 0.5))
    states: list[Tensor] = []

    def evaluate(model: nn.Module) -> dict[str, float]:
        states.append(model[0].weight.clone())  # type: ignore[index]
        return {"loss": 1.0, "score": next(scores)}

    model = toy_model()
    history = fit(model, toy_task(evaluate=evaluate), replace(SETTINGS, epochs=5, patience=2), tmp_path)
    assert len(history) == 4
    torch.testing.assert_close(model[0].weight, states[1])  # type: ignore[index]


def test_keeps_the_last_epoch_when_nothing_may_choose(tmp_path: Path) -> None:
    scores = iter((0.9, 0.5, 0.4, 0.3))
    task = toy_task(evaluate=lambda model: {"loss": 1.0, "score": next(scores)}, choose_best=False)
    assert len(fit(toy_model(), task, replace(SETTINGS, patience=1), tmp_path)) == SETTINGS.epochs


def test_full_disk_keeps_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fit(toy_model(), toy_task(), replace(SETTINGS, epochs=1), tmp_path)
    kept = (tmp_path / loop.CHECKPOINT).read_bytes()

    def full(path: Path) -> None:
        path.write_bytes(b"half of")
        raise OSError(28, "No space left on device")

    with pytest.raises(TriptychError, match=r"No space left.*is kept.*Free some space"):
        files.write_atomically(tmp_path / loop.CHECKPOINT, full)
    assert (tmp_path / loop.CHECKPOINT).read_bytes() == kept
    assert not list(tmp_path.glob("*.part"))


def test_says_so_when_the_loss_is_lost(tmp_path: Path) -> None:
    task = toy_task(loss=lambda model, x: model(x).sum() * float("nan"))
    with pytest.raises(TriptychError, match="lower the learning rate"):
        fit(toy_model(), task, SETTINGS, tmp_path)


def curve(settings: Settings, batches_per_epoch: int) -> list[float]:
    """The rate of each update, as an optimiser gets it."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=settings.learning_rate)
    schedule = loop.rate_schedule(optimizer, settings, batches_per_epoch)
    rates = []
    for _ in range(settings.epochs * batches_per_epoch):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


@pytest.mark.parametrize(
    ("epochs", "warmup", "batches"), [(4, 1.0, 20), (14, 1.0, 293), (6, 0.3, 1000), (16, 0.5, 294), (60, 2.0, 48)]
)
def test_the_rate_rises_in_a_line_and_falls_as_a_cosine(epochs: int, warmup: float, batches: int) -> None:
    settings = Settings(epochs, learning_rate=0.05, warmup_epochs=warmup)
    first, total = warmup * batches, epochs * batches
    expected = [
        update / first if update < first else 0.5 * (1 + math.cos(math.pi * (update - first) / (total - first)))
        for update in range(1, total + 1)
    ]
    assert curve(settings, batches) == pytest.approx([0.05 * share for share in expected], rel=1e-6, abs=1e-12)


@pytest.mark.parametrize(("warmup", "batches"), [(0.0, 5), (0.5, 1), (0.5, 2), (9.0, 3)])
def test_a_run_of_few_updates_has_rates_too(warmup: float, batches: int) -> None:
    rates = curve(Settings(2, learning_rate=1.0, warmup_epochs=warmup), batches)
    assert 0 < max(rates) <= 1
    assert min(rates) >= 0


def test_weights_and_statistics_are_averaged_and_whole_numbers_copied() -> None:
    model = nn.BatchNorm1d(2)
    average = AveragedModel(model, multi_avg_fn=loop._average(0.25), use_buffers=True)
    expected = torch.zeros(2)
    for update, value in enumerate((8.0, 4.0, 1.0)):
        with torch.no_grad():
            model.weight.fill_(value)
            model.running_mean.fill_(value)  # type: ignore[union-attr]
            model.num_batches_tracked += 100  # type: ignore[operator]
        average.update_parameters(model)
        decay = min(0.25, (1 + update) / (10 + update)) if update else 0.0
        expected = decay * expected + (1 - decay) * value
        torch.testing.assert_close(average.module.weight.detach(), expected)
        torch.testing.assert_close(average.module.running_mean, expected)
        assert average.module.num_batches_tracked == 100 * (update + 1)


def test_a_checkpoint_of_another_release_is_refused(tmp_path: Path) -> None:
    fit(toy_model(), toy_task(), SETTINGS, tmp_path)
    state = torch.load(tmp_path / loop.CHECKPOINT, weights_only=True)
    del state["format"]
    torch.save(state, tmp_path / loop.CHECKPOINT)
    with pytest.raises(TriptychError, match=r"checkpoint\.pt was written by another release .*choose another --out"):
        fit(toy_model(), toy_task(), SETTINGS, tmp_path)


def test_a_run_may_go_on_on_another_device(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(toy_model(), toy_task(stop_at=2), SETTINGS.on("cpu"), tmp_path)
    assert len(fit(toy_model(), toy_task(), SETTINGS.on("auto"), tmp_path)) == SETTINGS.epochs


def test_bf16_trains(tmp_path: Path) -> None:
    history = fit(toy_model(), toy_task(), replace(SETTINGS, precision="bf16"), tmp_path)
    assert history[-1]["score"] > 0.9
