"""Fine-tunes a published wav2vec 2.0 for voices: the way where a model hub, or a copy of it, is at hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from transformers import Wav2Vec2FeatureExtractor, Wav2Vec2ForSequenceClassification

from export import checkpoint
from networks import pretrained, weights
from networks.voice import waveforms
from training.card import Card, write_card
from training.data import speech as data_speech
from training.data.augment_speech import augment_waveforms
from training.data.speech import SpeechWindows
from training.loop import Settings, Task, fit
from training.metrics import fit_temperature, score
from training.voice.card import results_by_group
from training.voice.spectrogram_cnn import FOLDS, evaluate, folds, loss, predict
from training.voice.trained_on import TrainedOn
from triptych.errors import TriptychError
from triptych_client.contract import EMOTIONS, SAMPLE_RATE_HZ

SETTINGS = Settings(epochs=10, learning_rate=5e-5, weight_decay=0.01, warmup_epochs=1.0, ema_decay=0.99)
NETWORK = "wav2vec2"
BATCH_SIZE = 16
EVALUATED_AT_ONCE = 8
"""A window of 3 s takes 50 MB in the first layers of the base model."""


class Logits(nn.Module):
    """The model as the loop wants it: waveforms in, logits out."""

    def __init__(self, model: Wav2Vec2ForSequenceClassification) -> None:
        super().__init__()
        self.model = model

    def forward(self, sound: Tensor) -> Tensor:
        """Sound f32 [n, 48000] in [-1, 1] -> logits [n, 7]."""
        return self.model(waveforms.normalise(sound)).logits


def fine_tune(data: Path, out: Path, init: str, settings: Settings = SETTINGS, batch_size: int = BATCH_SIZE) -> Path:
    """Train a published wav2vec 2.0 on four fifths of the speakers; return the folder of the new checkpoint.

    `init`: "hub:NAME" or "dir:PATH". The folder is as transformers writes it, with `preprocessor_config.json`, and a
    model card about the speakers held out; its classes are EMOTIONS, and config.json has the temperature. Interrupted,
    the run goes on when repeated.
    """
    speech = data_speech.windows(data_speech.recordings(data), features=lambda window: window)
    kept, held_out = (speech.choose(clips) for clips in folds(speech, settings.seed)[0])
    model = load(init, settings.seed)
    log = fit(Logits(model), _task(kept, held_out, batch_size), settings, out)
    with torch.inference_mode():
        logits = predict(Logits(model).eval(), held_out, EVALUATED_AT_ONCE)
    temperature = fit_temperature(held_out.labels, logits)
    save(model, temperature, out / "model")
    TrainedOn.of(NETWORK, kept, FOLDS, settings.seed).write(out / "model" / weights.FILE)
    results = {"temperature": temperature, **results_by_group(held_out, logits)}
    card = _card(init, model.num_parameters(), settings.device, results)
    scores, uncalibrated = (score(held_out.labels, x, held_out.speakers) for x in (logits / temperature, logits))
    write_card(out / "model", card, scores, uncalibrated, {"wav2vec 2.0": log})
    return out / "model"


def load(init: str, seed: int) -> Wav2Vec2ForSequenceClassification:
    """Return the published model with a new classifier over EMOTIONS, its convolutions frozen (Baevski et al. 2020)."""
    torch.manual_seed(seed)
    labels = dict(enumerate(EMOTIONS))
    model = pretrained.start(
        Wav2Vec2ForSequenceClassification,
        checkpoint.fetch(init),
        num_labels=len(EMOTIONS),
        id2label=labels,
        label2id={name: index for index, name in labels.items()},
    )
    model.freeze_feature_encoder()
    return model


def save(model: Wav2Vec2ForSequenceClassification, temperature: float, folder: Path) -> None:
    """Write a checkpoint as transformers does, with the temperature; TriptychError when it cannot be written."""
    setattr(model.config, waveforms.TEMPERATURE, temperature)
    extractor = Wav2Vec2FeatureExtractor(sampling_rate=SAMPLE_RATE_HZ, do_normalize=True)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        model.save_pretrained(folder)
        extractor.save_pretrained(folder)
    except (OSError, RuntimeError) as error:
        raise TriptychError(
            f"cannot write {folder}: {error}; the last checkpoint.pt is kept. Free some space, then run the same "
            "command."
        ) from error


def _task(kept: SpeechWindows, held_out: SpeechWindows, batch_size: int) -> Task:
    def batches(epoch: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        np.random.seed(generator.initial_seed() % 2**32)  # transformers draws its masks from there
        return data_speech.batches(kept, batch_size, generator, augment_waveforms)

    return Task(
        batches_per_epoch=len(kept.labels) // batch_size,
        batches=batches,
        loss=loss,
        evaluate=lambda average: evaluate(average, held_out, EVALUATED_AT_ONCE),
        choose_best=False,
    )


def _card(init: str, parameters: int, device: str, results: Mapping[str, object]) -> Card:
    source = init if init.startswith("hub:") else "dir:PATH"
    command = f"triptych train voice --data DIR --out DIR --init {source}"
    return Card("voice/wav2vec2.md", command, parameters, device, {"source": source, **results})
