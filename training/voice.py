"""Trains the voice channel: cross-validation over speakers for the numbers, then one model of everybody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from sklearn.model_selection import StratifiedGroupKFold
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from training import data_speech, weights
from training.card import Card, write_card
from training.data_speech import Speech
from training.loop import Settings, Task, fit
from training.metrics import balanced_accuracy, fit_temperature, score
from training.voice_cnn import VoiceCnn
from triptych.errors import TriptychError
from triptych_client.contract import EMOTIONS

FOLDS = 5
BATCH_SIZE = 16
SETTINGS = Settings(epochs=24, learning_rate=1.5e-3, weight_decay=0.05, warmup_epochs=2.0, ema_decay=0.99, patience=24)
LABEL_SMOOTHING = 0.1

CARD = Card(
    title="Voice: spectrogram and CNN with attention pooling",
    summary=(
        "The emotion that a voice expresses by its intonation, over anger, disgust, fear, happiness, sadness, surprise "
        "and neutral, in windows of 3 s. Log-mel (64 bands, 300 frames of 10 ms, `triptych.mel.voice_log_mel`), taken "
        "relative to its loudest spot; residual 2D convolutions; attention over time. Training windows are warped in "
        "frequency as by another vocal tract (10 %), stretched in time (15 %), shifted, mixed with noise at 5 to "
        "30 dB, changed in gain by up to 13 dB, and partly masked."
    ),
    data=(
        "RAVDESS, actors 1 to 20 (1,200 clips, English, calm counted as neutral), and EMO-DB, 8 speakers (German, "
        "without boredom). Acted speech, few sentences."
    ),
    terms=(
        "Terms: RAVDESS is CC BY-NC-SA 4.0, so **these weights are for non-commercial use, under the same licence**; "
        "EMO-DB is free for research."
    ),
    splits=(
        "Results below are of a cross-validation over 28 speakers in five folds: nobody's voice is in training and "
        "held out at once. A fold's model is that of the last epoch, chosen by nothing. A clip's logits are the mean "
        "of those of its windows; intervals resample speakers. The published weights are trained on all speakers by "
        "the same recipe, and were not measured themselves; their temperature is fitted on the held-out logits."
    ),
    limits=(
        "Actors who play emotions in studios, in two languages and 12 sentences: real speech is less clear, other "
        "languages, ages, rooms and microphones were not measured, and singing, several voices at once or music under "
        "speech will mislead it. It cannot tell speech from other sound. Not for emotion inference at work or in "
        "education."
    ),
    command="",
    parameters=0,
    temperature=1.0,
)


def train_voice(data: Path, out: Path, settings: Settings = SETTINGS) -> None:
    """Train on the speech in `data`; weights, card and pictures go to `out`. Interrupted, it goes on when repeated."""
    speech = data_speech.load(data)
    logits, logs = cross_validate(speech, out, settings)
    temperature = fit_temperature(speech.labels, logits)
    model = train(speech, speech, settings, out / "final")[0]
    weights.save(model, temperature, out / weights.FILE)
    parameters = sum(p.numel() for p in model.parameters())
    card = replace(
        CARD, command="triptych train voice --data DIR --out DIR", parameters=parameters, temperature=temperature
    )
    scores, uncalibrated = (score(speech.labels, x, speech.speakers) for x in (logits / temperature, logits))
    write_card(out, card, scores, uncalibrated, {"mean of the five folds": mean_log(logs)})


def cross_validate(speech: Speech, out: Path, settings: Settings) -> tuple[np.ndarray, list[list[dict[str, float]]]]:
    """Return the logits [clips, 7] of each clip by the model that never heard its speaker, and the log of each fold.

    TriptychError when there are fewer speakers than folds.
    """
    speakers = len(set(speech.speakers))
    if speakers < FOLDS:
        raise TriptychError(f"{speakers} speakers cannot be split into {FOLDS} folds: each fold holds somebody out")
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=settings.seed)
    kinds = np.char.add(speech.corpora, speech.labels.astype(str))
    logits, logs = np.zeros((len(speech.labels), len(EMOTIONS)), np.float32), []
    for number, (kept, held_out) in enumerate(folds.split(kinds, kinds, speech.speakers), 1):
        held = speech.choose(held_out)
        model, log = train(speech.choose(kept), held, settings, out / f"fold{number}")
        with torch.inference_mode():
            logits[held_out] = predict(model.eval(), held)
        logs.append(log)
    return logits, logs


def train(speech: Speech, held_out: Speech, settings: Settings, out: Path) -> tuple[VoiceCnn, list[dict[str, float]]]:
    """Train one model on `speech`, watching `held_out`; return it as of the last epoch, and the log."""
    torch.manual_seed(settings.seed)
    model = VoiceCnn().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    task = Task(
        batches_per_epoch=len(speech.labels) // BATCH_SIZE,
        batches=lambda epoch, generator: data_speech.batches(speech, BATCH_SIZE, generator),
        loss=_loss,
        evaluate=lambda average: evaluate(average, held_out),
        choose_best=False,
    )
    return model, fit(model, task, settings, out)


def predict(model: nn.Module, speech: Speech, batch_size: int = 64) -> np.ndarray:
    """Return logits f32 [clips, 7], the mean over the windows of each clip."""
    windows = torch.cat([model(chunk.float()) for chunk in speech.windows.split(batch_size)]).numpy()
    sums = np.zeros((len(speech.labels), len(EMOTIONS)), np.float32)
    np.add.at(sums, speech.clip_of_window, windows)
    return sums / np.bincount(speech.clip_of_window)[:, None]


def evaluate(model: nn.Module, speech: Speech) -> Mapping[str, float]:
    """Return loss, accuracy and, as the score, unweighted average recall of clips."""
    logits = predict(model, speech)
    predicted = logits.argmax(1)
    return {
        "loss": float(cross_entropy(torch.from_numpy(logits), torch.from_numpy(speech.labels))),
        "accuracy": float((predicted == speech.labels).mean()),
        "score": balanced_accuracy(speech.labels, predicted),
    }


def mean_log(logs: list[list[dict[str, float]]]) -> list[dict[str, float]]:
    """Return the mean of the folds' logs, epoch by epoch; its seconds are their sum."""
    rows = [{key: float(np.mean([row[key] for row in rows])) for key in rows[0]} for rows in zip(*logs, strict=True)]
    return [row | {"seconds": row["seconds"] * len(logs)} for row in rows]


def _loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    windows, labels = batch
    return cross_entropy(model(windows).float(), labels, label_smoothing=LABEL_SMOOTHING)
