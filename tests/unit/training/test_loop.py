"""The training loop on a toy problem: it learns, resumes exactly, and keeps what it has when something breaks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from samples.toy import SETTINGS, toy_model, toy_task
from training import loop
from training.loop import fit, learning_rate
from triptych.errors import TriptychError


def test_learns_and_logs(tmp_path: Path) -> None:
    history = fit(toy_model(), toy_task(), SETTINGS, tmp_path)
    assert history[-1]["score"] > 0.95
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    assert [json.loads(line) for line in (tmp_path / loop.LOG).read_text().splitlines()] == history


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
        loop.write_atomically(tmp_path / loop.CHECKPOINT, full)
    assert (tmp_path / loop.CHECKPOINT).read_bytes() == kept
    assert not list(tmp_path.glob("*.part"))


def test_says_so_when_the_loss_is_lost(tmp_path: Path) -> None:
    task = toy_task(loss=lambda model, x: model(x).sum() * float("nan"))
    with pytest.raises(TriptychError, match="lower the learning rate"):
        fit(toy_model(), task, SETTINGS, tmp_path)


def test_learning_rate_rises_then_falls() -> None:
    rates = [learning_rate(SETTINGS, epoch) for epoch in (0.0, 0.5, 1.0, 2.5, 4.0)]
    assert rates == pytest.approx([0.0, 0.025, 0.05, 0.025, 0.0])


@pytest.mark.parametrize(("precision", "expected"), [("bf16", True), ("fp32", False)])
def test_precision_can_be_forced(precision: str, expected: bool) -> None:
    assert loop.use_bf16(precision) is expected


def test_bf16_trains(tmp_path: Path) -> None:
    history = fit(toy_model(), toy_task(), replace(SETTINGS, precision="bf16"), tmp_path)
    assert history[-1]["score"] > 0.9
