"""Export of `voice_emotion` from a wav2vec 2.0 checkpoint of transformers (Baevski et al. 2020, arXiv:2006.11477).

For any `Wav2Vec2ForSequenceClassification` saved with `save_pretrained` whose labels name the seven emotions, such as
`triptych train voice --init` makes. It hears the waveform: the step before it passes the sound on as it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from transformers import Wav2Vec2ForSequenceClassification

from export import checkpoint, trained_graph
from networks.class_order import label_order
from networks.voice.waveforms import TEMPERATURE, normalise
from triptych.errors import TriptychError
from triptych_client.contract import SAMPLE_RATE_HZ, STEPS, VOICE_SAMPLES


class WaveformEmotion(nn.Module):
    """The graph of the step `voice_emotion`: a window of sound -> logits over EMOTIONS, calibrated."""

    def __init__(self, model: Wav2Vec2ForSequenceClassification, normalised: bool = True) -> None:
        super().__init__()
        self.model = model
        self.normalised = normalised
        self.order = label_order({int(index): name for index, name in (model.config.id2label or {}).items()})
        self.temperature = float(getattr(model.config, TEMPERATURE, 1.0))

    def forward(self, features: Tensor) -> Tensor:
        """FEATURES f32 [w, 1, 48000], the waveform in [-1, 1] -> LOGITS f32 [w, 7]."""
        sound = features[:, 0]
        logits = self.model(normalise(sound) if self.normalised else sound).logits
        return logits[:, self.order] / self.temperature


def export(sources: Mapping[str, Path], target: Path) -> None:
    """Write model.onnx from a folder with config.json, model.safetensors and preprocessor_config.json."""
    (folder,) = sources.values()
    model = checkpoint.load(Wav2Vec2ForSequenceClassification, folder)
    save(WaveformEmotion(model, _normalised(folder)), target / "model.onnx")


def save(model: WaveformEmotion, path: Path) -> None:
    """Write the graph; the weight-normalised convolution becomes a plain one."""
    convolution = model.model.wav2vec2.encoder.pos_conv_embed.conv
    if parametrize.is_parametrized(convolution):
        parametrize.remove_parametrizations(convolution, "weight")
    example = torch.zeros(2, 1, VOICE_SAMPLES)
    trained_graph.save(model, example, STEPS["voice_emotion"], path, ["LOGITS"])


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
