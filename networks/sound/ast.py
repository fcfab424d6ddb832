"""The step `sound_tagger` from an Audio Spectrogram Transformer of transformers (Gong et al. 2021, arXiv:2104.01778).

For any `ASTForAudioClassification` that hears 10.24 s in 128 bands and names AudioSet classes, such as
MIT/ast-finetuned-audioset-10-10-0.4593. The step before it makes Kaldi's filter banks; their padding and normalisation
are the checkpoint's and part of the graph.

A window is 1214 tokens. Beside its weights the base model takes about 0.5 GB for each window that ONNX Runtime runs at
once on a CPU, and 4 s of one core: a clip of 60 s is 11 windows.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import ASTForAudioClassification

from networks import pretrained
from networks.served import GRAPH, Parts, Served
from networks.sound import labels, voiced
from triptych.errors import TriptychError
from triptych.sound.mel import FBANK_FLOOR, FBANK_FRAMES, FBANK_N_MELS, FBANK_SAMPLES, HOP_LENGTH
from triptych_client.contract import SAMPLE_RATE_HZ

FRAMES = FBANK_SAMPLES // HOP_LENGTH
"""1024: the frames that a checkpoint has to take."""
SILENT = math.log(FBANK_FLOOR) + 1e-3
"""A frame whose bands all lie below holds nothing but zeros."""


@dataclass(frozen=True)
class Preprocessing:
    """How a checkpoint wants its filter banks: x becomes (x - mean) / (2 std), as `ASTFeatureExtractor` does."""

    mean: float
    std: float

    @classmethod
    def read(cls, folder: Path) -> Preprocessing:
        """Read preprocessor_config.json; TriptychError when it lacks the numbers, or features of ours do not fit."""
        path = folder / "preprocessor_config.json"
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
            form = tuple(int(config[key]) for key in ("sampling_rate", "max_length", "num_mel_bins"))
            numbers = (config["mean"], config["std"]) if config.get("do_normalize", True) else (0.0, 0.5)
            preprocessing = cls(*map(float, numbers))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TriptychError(f"{path} does not say how sound is prepared: {error!r}") from error
        if form != (SAMPLE_RATE_HZ, FRAMES, FBANK_N_MELS):
            raise TriptychError(
                f"the checkpoint in {folder} hears {form[1]} frames of {form[2]} bands at {form[0]} Hz; "
                f"it has to be {FRAMES} of {FBANK_N_MELS} at {SAMPLE_RATE_HZ} Hz, as those trained on AudioSet"
            )
        return preprocessing


class AstTagger(Served):
    """The graph of the step `sound_tagger`: FEATURES f32 [p, 1022, 128], Kaldi's filter banks -> TAGS [p, classes].

    SPEECH_TAGS f32 [p, 2] are made of them, see `networks.sound.voiced`; `names` are those of the classes.
    """

    position: Tensor
    speech: Tensor
    other: Tensor

    def __init__(self, model: ASTForAudioClassification, preprocessing: Preprocessing, names: Sequence[str]) -> None:
        super().__init__()
        self.model = model
        self.preprocessing = preprocessing
        for name, found in zip(("speech", "other"), voiced.places(names)):
            self.register_buffer(name, torch.tensor(found))
        self.register_buffer("position", torch.arange(FBANK_FRAMES))

    def example(self) -> tuple[Tensor]:
        """Two windows whose bands all have the power 1."""
        return (torch.zeros(2, FBANK_FRAMES, FBANK_N_MELS),)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """FEATURES f32 [p, 1022, 128] -> TAGS f32 [p, classes], independent probabilities, and SPEECH_TAGS [p, 2]."""
        tags = self.model(self.prepare(features)).logits.sigmoid()
        speech, other = tags[:, self.speech].amax(1), tags[:, self.other].sum(1)
        return tags, torch.stack([speech, other], dim=1)

    def prepare(self, features: Tensor) -> Tensor:
        """Pad and normalise: f32 [p, 1022, 128] -> [p, 1024, 128].

        A window is longer than what is left of a clip at its end. There the checkpoint was trained on frames of 0
        before normalisation, not on the features of digital silence.
        """
        sounds = (features > SILENT).any(2)
        last = torch.where(sounds, self.position, -1).amax(1, keepdim=True)
        masked = torch.where((self.position <= last)[:, :, None], features, 0.0)
        padded = pad(masked, (0, 0, 0, FRAMES - FBANK_FRAMES))
        return (padded - self.preprocessing.mean) / (2 * self.preprocessing.std)


def load(folder: Path) -> Parts:
    """Return model.onnx and labels.txt of a folder with config.json, model.safetensors, preprocessor_config.json."""
    names = labels.of_checkpoint(folder)
    model = pretrained.load(ASTForAudioClassification, folder)
    return {GRAPH: AstTagger(model, Preprocessing.read(folder), names), labels.LABELS: labels.as_lines(names)}
