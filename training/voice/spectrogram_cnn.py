"""Trains the voice channel: cross-validation over speakers for the numbers, then one model of everybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from sklearn.model_selection import StratifiedGroupKFold
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from networks import weights
from networks.voice.spectrogram_cnn import VoiceCnn
from training import device
from training.card import Card, write_card
from training.data import speech as data_speech
from training.data.speech import SpeechWindows
from training.loop import BEST, Log, Settings, Task, fit
from training.metrics import balanced_accuracy, fit_temperature, score
from training.voice.card import results_by_group
from training.voice.trained_on import FILE as TRAINED_ON
from training.voice.trained_on import TrainedOn, held_out_by
from triptych.errors import TriptychError
from triptych_client.contract import EMOTIONS

NETWORK = "spectrogram-cnn"
FOLDS = 5
BATCH_SIZE = 32
SETTINGS = Settings(epochs=60, learning_rate=2e-3, weight_decay=0.05, warmup_epochs=2.0, ema_decay=0.99, patience=60)
LABEL_SMOOTHING = 0.1
EVALUATED_AT_ONCE = 64
"""Windows of a batch when nothing is learnt."""
WATCHED_FINALLY = 10
"""The model of everybody is watched on every tenth clip: it has heard them all, so this tells only that it learns."""


def train_voice(data: Path, out: Path, settings: Settings = SETTINGS) -> None:
    """Train on the speech in `data`; weights, card and pictures go to `out`. Interrupted, it goes on when repeated."""
    speech = data_speech.load(data)
    logits, logs = cross_validate(speech, out, settings)
    temperature = fit_temperature(speech.labels, logits)
    few = speech.choose(np.arange(0, len(speech.labels), WATCHED_FINALLY))
    model = train(speech, few, settings, out / "final")[0]
    weights.save(model, temperature, out / weights.FILE)
    TrainedOn.of(NETWORK, speech, FOLDS, settings.seed).write(out / weights.FILE)
    card = Card(
        template="voice/spectrogram_cnn.md",
        command="triptych train voice --data DIR --out DIR",
        parameters=sum(p.numel() for p in model.parameters()),
        device=settings.device,
        values={"temperature": temperature, **results_by_group(speech, logits)},
    )
    calibrated = calibrate(speech, logits, settings.seed)
    scores, uncalibrated = (score(speech.labels, x, speech.speakers) for x in (calibrated, logits))
    write_card(out, card, scores, uncalibrated, {"mean of the five folds": mean_log(logs)})


def folds(speech: SpeechWindows, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the numbers of the clips kept and held out in each fold: corpora and emotions alike, no speaker in both.

    TriptychError when there are fewer speakers than folds.
    """
    speakers = len(set(speech.speakers))
    if speakers < FOLDS:
        raise TriptychError(f"{speakers} speakers cannot be split into {FOLDS} folds: each fold holds somebody out")
    kinds = np.char.add(speech.corpora, speech.labels.astype(str))
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    return list(splitter.split(kinds, kinds, speech.speakers))


def cross_validate(speech: SpeechWindows, out: Path, settings: Settings) -> tuple[np.ndarray, list[Log]]:
    """Return the logits [clips, 7] of each clip by the model that never heard its speaker, and the log of each fold."""
    logits, logs = np.zeros((len(speech.labels), len(EMOTIONS)), np.float32), []
    for number, (kept, held_out) in enumerate(folds(speech, settings.seed), 1):
        held = speech.choose(held_out)
        learnt, folder = speech.choose(kept), fold_folder(out, number)
        model, log = train(learnt, held, settings, folder)
        TrainedOn.of(NETWORK, learnt, FOLDS, settings.seed).write(folder / BEST)
        with torch.inference_mode():
            logits[held_out] = predict(model.eval(), held)
        logs.append(log)
    return logits, logs


def fold_folder(out: Path, number: int) -> Path:
    """Return where the run of a fold (from 1) is kept."""
    return out / f"fold{number}"


@dataclass(frozen=True)
class Fold:
    """The model of a fold, in evaluation mode, and what it was trained on."""

    model: VoiceCnn
    trained_on: TrainedOn


def load_folds(run: Path) -> list[Fold]:
    """Return the folds of a `run`; TriptychError when it is not a finished cross-validation."""
    return [_load_fold(path) for path in fold_files(run)]


def _load_fold(path: Path) -> Fold:
    trained_on = TrainedOn.read(path.parent) if path.is_file() else None
    if trained_on is None:
        missing = path.with_name(TRAINED_ON) if path.is_file() else path
        raise TriptychError(
            f"there is no {missing}: it takes the --out of a finished `triptych train voice` of this release"
        )
    model = VoiceCnn().eval()
    model.load_state_dict(load_file(path))
    return Fold(model, trained_on)


def fold_files(run: Path) -> list[Path]:
    """Return where the weights of each fold of a `run` are kept."""
    return [fold_folder(run, number) / BEST for number in range(1, FOLDS + 1)]


@torch.inference_mode()
def predict_held_out(folds: Sequence[Fold], speech: SpeechWindows) -> np.ndarray:
    """Return logits f32 [clips, 7], each clip answered by a model that was not trained on its speaker."""
    fold_of = held_out_by([fold.trained_on for fold in folds], speech.speakers)
    numbers = np.array([fold_of[speaker] for speaker in speech.speakers])
    logits = np.zeros((len(numbers), len(EMOTIONS)), np.float32)
    for number in np.unique(numbers):
        rows = np.flatnonzero(numbers == number)
        logits[rows] = predict(folds[number].model, speech.choose(rows))
    return logits


def calibrate(speech: SpeechWindows, logits: np.ndarray, seed: int) -> np.ndarray:
    """Return logits [clips, 7], those of a fold divided by the temperature that suits the other folds."""
    calibrated = np.empty_like(logits)
    for kept, held_out in folds(speech, seed):
        calibrated[held_out] = logits[held_out] / fit_temperature(speech.labels[kept], logits[kept])
    return calibrated


def train(speech: SpeechWindows, held_out: SpeechWindows, settings: Settings, out: Path) -> tuple[VoiceCnn, Log]:
    """Train one model on `speech`, watching `held_out`; return it as of the last epoch, and the log."""
    torch.manual_seed(settings.seed)
    model = VoiceCnn().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    task = Task(
        batches_per_epoch=len(speech.labels) // BATCH_SIZE,
        batches=lambda epoch, generator: data_speech.batches(speech, BATCH_SIZE, generator),
        loss=loss,
        evaluate=lambda average: evaluate(average, held_out),
        choose_best=False,
    )
    return model, fit(model, task, settings, out)


def predict(model: nn.Module, speech: SpeechWindows, batch_size: int = EVALUATED_AT_ONCE) -> np.ndarray:
    """Return logits f32 [clips, 7], the mean over the windows of each clip."""
    chunks = speech.windows.split(batch_size)
    return speech.of_clips(torch.cat([device.predict(model, chunk.float()).cpu() for chunk in chunks]).numpy())


def evaluate(model: nn.Module, speech: SpeechWindows, batch_size: int = EVALUATED_AT_ONCE) -> Mapping[str, float]:
    """Return loss, accuracy and, as the score, unweighted average recall of clips."""
    logits = predict(model, speech, batch_size)
    predicted = logits.argmax(1)
    return {
        "loss": float(cross_entropy(torch.from_numpy(logits), torch.from_numpy(speech.labels))),
        "accuracy": float((predicted == speech.labels).mean()),
        "score": balanced_accuracy(speech.labels, predicted),
    }


def mean_log(logs: list[Log]) -> Log:
    """Return the mean of the folds' logs, epoch by epoch; its seconds are their sum."""
    rows = [{key: float(np.mean([row[key] for row in rows])) for key in rows[0]} for rows in zip(*logs, strict=True)]
    return [row | {"seconds": row["seconds"] * len(logs)} for row in rows]


def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Return the cross-entropy of (windows, labels), labels being smoothed."""
    windows, labels = batch
    return cross_entropy(model(windows).float(), labels, label_smoothing=LABEL_SMOOTHING)
