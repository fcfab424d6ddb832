"""The voice channel from Whisper's encoder: its first layers over a window, pooled over time, and a linear head.

The middle layers of a speech recogniser's encoder still hold how something is said. The encoder hears the window alone,
its frames counted from 0: within 30 s of padding, as the recogniser has it, the same head is right less often.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu
from transformers import WhisperForConditionalGeneration

from networks import weights
from networks.served import Served
from networks.whisper import published
from triptych.sound.mel import HOP_LENGTH, WHISPER_N_MELS
from triptych_client.contract import EMOTIONS, VOICE_SAMPLES

LAYERS = (2, 3, 4)
"""The outputs of these layers of the encoder are pooled, the first layer's being 1."""
WIDTH = 512
"""Of Whisper base's states: the head belongs to this encoder."""
FEATURES = 2 * len(LAYERS) * WIDTH
LEAST_VARIANCE = 1e-8
"""Of a state over time; in silence it may be none at all."""


class States(nn.Module):
    """LOG_MEL f32 [n, 80, 2 t] as `triptych.sound.mel.whisper_log_mel` has it -> pooled states [n, 3072].

    The mean over time of each layer's states, then the deviation of each layer's.
    """

    positions: Tensor

    def __init__(self, model: WhisperForConditionalGeneration) -> None:
        super().__init__()
        encoder = model.model.encoder
        self.conv1, self.conv2 = encoder.conv1, encoder.conv2
        self.register_buffer("positions", encoder.embed_positions.weight.detach(), persistent=False)
        self.layers = nn.ModuleList([*encoder.layers.children()][: max(LAYERS)])

    def forward(self, log_mel: Tensor) -> Tensor:
        """Return the pooled states."""
        hidden = gelu(self.conv2(gelu(self.conv1(log_mel)))).transpose(1, 2)
        hidden = hidden + self.positions[: hidden.shape[1]]
        means, deviations = [], []
        for number, layer in enumerate(self.layers, 1):
            hidden = layer(hidden, None)
            if number in LAYERS:
                mean = hidden.mean(1)
                means.append(mean)
                deviations.append((hidden.square().mean(1) - mean.square()).clamp(min=LEAST_VARIANCE).sqrt())
        return torch.cat([*means, *deviations], dim=1)


class Head(nn.Module):
    """Pooled states [n, 3072] -> logits [n, 7] over EMOTIONS: standardised as the training data were, then linear."""

    mean: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(FEATURES))
        self.register_buffer("scale", torch.ones(FEATURES))
        self.linear = nn.Linear(FEATURES, len(EMOTIONS))

    def forward(self, states: Tensor) -> Tensor:
        """Return the logits."""
        return self.linear((states - self.mean) / self.scale)


class WhisperVoice(Served):
    """The graph of the step `voice_emotion`: FEATURES f32 [w, 80, 300] -> LOGITS [w, 7], calibrated."""

    def __init__(self, states: States, head: Head, temperature: float) -> None:
        super().__init__()
        self.states, self.head = states, head
        self.temperature = temperature

    @classmethod
    def load(cls, folder: Path, whisper: Path) -> WhisperVoice:
        """Read the folder of the trained head and that of Whisper base; TriptychError when they are not those."""
        head = Head()
        temperature = weights.load(head, folder / weights.FILE)
        return cls(States(published.read(whisper).model), head.eval(), temperature)

    def example(self) -> tuple[Tensor]:
        """Two windows."""
        return (torch.zeros(2, WHISPER_N_MELS, VOICE_SAMPLES // HOP_LENGTH),)

    def forward(self, log_mel: Tensor) -> Tensor:
        """FEATURES f32 [w, 80, 300] -> LOGITS f32 [w, 7]."""
        return self.head(self.states(log_mel)) / self.temperature
