"""The voice channel's network: 2D convolutions over a log-mel window, pooled over time by attention."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from networks import weights
from networks.face.teacher import ResidualBlock
from networks.served import Served
from triptych.sound.mel import VOICE_FRAMES, VOICE_N_MELS
from triptych_client.contract import EMOTIONS

RANGE = 10.0
"""Natural logarithm of the range of power that is looked at, 43 dB below the loudest spot: deeper lies the room."""
BANDS, FRAMES = 2, 4
"""Mel bands, and frames (of 10 ms), that the first layer folds into one position."""
HALVINGS = 3
"""How often the residual blocks halve both axes."""


class AttentionPooling(nn.Module):
    """Weighted mean over time, the weights being learnt (Bahdanau et al. 2015 without a query)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scores = nn.Sequential(nn.Linear(channels, channels // 2), nn.Tanh(), nn.Linear(channels // 2, 1))

    def forward(self, sequence: Tensor) -> Tensor:
        """Sequence f32 [n, time, channels] -> [n, channels]."""
        return (sequence * self.scores(sequence).softmax(1)).sum(1)


class VoiceCnn(nn.Module):
    """LOG_MEL f32 [n, 64 mels, 300 frames] as `triptych.sound.mel.voice_log_mel` has it -> logits [n, 7] over EMOTIONS.

    A window is taken relative to its loudest spot, so that the recording's gain does not matter.
    """

    def __init__(self, channels: tuple[int, int, int, int] = (32, 48, 72, 96), width: int = 96) -> None:
        super().__init__()
        first, second, third, last = channels
        self.body = nn.Sequential(
            nn.Conv2d(1, first, (BANDS, FRAMES), (BANDS, FRAMES), bias=False),
            nn.BatchNorm2d(first),
            nn.ReLU(inplace=True),
            nn.Conv2d(first, first, 3, 1, 1, bias=False),
            nn.BatchNorm2d(first),
            nn.ReLU(inplace=True),
            ResidualBlock(first, second, stride=2),
            ResidualBlock(second, third, stride=2),
            ResidualBlock(third, last, stride=2),
        )
        self.mix = nn.Sequential(
            nn.Dropout(0.2), nn.Linear(last * VOICE_N_MELS // (BANDS << HALVINGS), width), nn.ReLU(inplace=True)
        )
        self.pool = AttentionPooling(width)
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(width, len(EMOTIONS)))

    def forward(self, log_mel: Tensor) -> Tensor:
        """LOG_MEL f32 [n, 64, 300] -> logits [n, 7]."""
        features = self.body(self.normalise(log_mel)[:, None])
        return self.head(self.pool(self.mix(features.flatten(1, 2).transpose(1, 2))))

    def normalise(self, log_mel: Tensor) -> Tensor:
        """LOG_MEL f32 [n, 64, 300] -> [n, 64, 320] in [-1, 1]: relative to the loudest spot, silence at the end."""
        below = log_mel - log_mel.amax((1, 2), keepdim=True)
        scaled = torch.clamp(below, min=-RANGE) * (2 / RANGE) + 1
        return pad(scaled, (0, -VOICE_FRAMES % (FRAMES << HALVINGS)), value=-1.0)


class ServedVoice(Served):
    """The graph of the step `voice_emotion`: FEATURES f32 [w, 64, 300] -> LOGITS [w, 7], calibrated."""

    def __init__(self, model: VoiceCnn, temperature: float) -> None:
        super().__init__()
        self.model = model
        self.temperature = temperature

    @classmethod
    def load(cls, folder: Path) -> ServedVoice:
        """Read the folder's trained weights; TriptychError when they are not those of this model."""
        model = VoiceCnn()
        temperature = weights.load(model, folder / weights.FILE)
        return cls(model.eval(), temperature)

    def example(self) -> tuple[Tensor]:
        """Two windows of the loudest sound there is."""
        return (torch.zeros(2, VOICE_N_MELS, VOICE_FRAMES),)

    def forward(self, log_mel: Tensor) -> Tensor:
        """LOG_MEL f32 [w, 64, 300] -> logits f32 [w, 7]."""
        return self.model(log_mel) / self.temperature
