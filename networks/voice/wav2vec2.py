"""The step `voice_emotion` from a transformer that hears the waveform: wav2vec 2.0, HuBERT or WavLM.

They are those of transformers (Baevski et al. 2020, arXiv:2006.11477; Hsu et al. 2021, arXiv:2106.07447; Chen et al.
2022, arXiv:2110.13900).
For any `ForSequenceClassification` of these, base or large, saved with `save_pretrained`, whose labels name emotions:
such as `triptych train voice --init` makes, or those of SUPERB and RAVDESS (`networks.emotion_names`). The step before
passes the sound on as it is.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils import parametrize
from transformers import (
    HubertForSequenceClassification,
    Wav2Vec2ForSequenceClassification,
    WavLMForSequenceClassification,
)

from networks import pretrained
from networks.class_order import to_emotions
from networks.served import Served
from networks.voice.waveforms import TEMPERATURE, normalise
from triptych.errors import TriptychError
from triptych_client.contract import SAMPLE_RATE_HZ, VOICE_SAMPLES

Classifier = Wav2Vec2ForSequenceClassification | HubertForSequenceClassification | WavLMForSequenceClassification
KINDS: dict[str, type[Classifier]] = {
    "wav2vec2": Wav2Vec2ForSequenceClassification,
    "hubert": HubertForSequenceClassification,
    "wavlm": WavLMForSequenceClassification,
}
"""`model_type` of a checkpoint's config.json, and the classifier that it is read as."""


class WaveformEmotion(Served):
    """The graph of the step `voice_emotion`: FEATURES f32 [w, 1, 48000], the waveform -> LOGITS [w, 7], calibrated."""

    def __init__(self, model: Classifier, normalised: bool = True) -> None:
        super().__init__()
        self.model = model
        self.normalised = normalised
        self.emotions = to_emotions(model.config)
        self.temperature = float(getattr(model.config, TEMPERATURE, 1.0))

    @classmethod
    def load(cls, folder: Path) -> WaveformEmotion:
        """Read a folder with config.json, model.safetensors and preprocessor_config.json.

        The weight-normalised convolution becomes a plain one.
        """
        model = pretrained.load(pretrained.one_of(KINDS, folder, "voices"), folder)
        convolution = model.base_model.get_submodule("encoder.pos_conv_embed.conv")
        if parametrize.is_parametrized(convolution):
            parametrize.remove_parametrizations(convolution, "weight")
        return cls(model, _normalised(folder))

    def example(self) -> tuple[Tensor]:
        """Two silent windows."""
        return (torch.zeros(2, 1, VOICE_SAMPLES),)

    def forward(self, features: Tensor) -> Tensor:
        """FEATURES f32 [w, 1, 48000], the waveform in [-1, 1] -> LOGITS f32 [w, 7]."""
        sound = features[:, 0]
        logits = self.model(normalise(sound) if self.normalised else sound).logits
        return self.emotions(logits / self.temperature)


def _normalised(folder: Path) -> bool:
    """Tell whether the checkpoint wants unit variance; TriptychError when it hears another rate, or does not say."""
    path = folder / "preprocessor_config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        rate, normalised = int(config["sampling_rate"]), bool(config["do_normalize"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TriptychError(f"{path} does not say how sound is prepared: {error!r}") from error
    if rate != SAMPLE_RATE_HZ:
        raise TriptychError(f"the checkpoint in {folder} hears sound at {rate} Hz; it has to be {SAMPLE_RATE_HZ} Hz")
    return normalised
