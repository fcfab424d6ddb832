"""CNN with time: the face teacher's features of each frame, related along the person's track by temporal convolutions.

Faces come in any order, at uneven times, and those of many clips in one batch. So the convolution is one over the
pairs of faces [m, m]: its kernel is a function of their distance in time (continuous kernels, Romero et al. 2022), it
reaches the faces of the same track only, and it is normalised by the certainty of what it reaches (normalised
convolution, Knutsson and Westin 1993), which the layer learns to see: a covered or blurred face says little of others.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from networks import weights
from networks.face.teacher import SIDE_PX, FaceCnn
from networks.images import SmallGrey, standardise
from networks.served import Served
from triptych_client.contract import FACE_PX

WIDTH = 192
"""Channels of FaceCnn's last block."""
REACH_S = 2.5
"""How far a face sees its track, back and forth; expressions last from 0.5 to 4 s (Ekman and Friesen 2003)."""
WAVES = 6
"""Harmonics of the kernel: the finest changes sign within 2.5 s / 6, a sample of a clip at two frames a second."""
UNRELATED = -1e4
"""Score of a pair that is none: its weight is exactly 0, in fp16 too."""


class TemporalConvolution(nn.Module):
    """A normalised convolution with a continuous kernel, `heads` of them side by side.

    Face j weighs exp(kernel(t_j - t_i) + certainty(x_j)) for face i, the weights of all related faces adding up to 1.
    What is added to x_i comes from the difference between that mean and the face itself: nothing for a face alone.
    """

    def __init__(self, width: int, channels: int = 96, heads: int = 4, dropout: float = 0.3) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.kernel = nn.Linear(2 * WAVES, heads, bias=False)
        self.certainty = nn.Linear(width, heads)
        self.values = nn.Linear(width, channels, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(channels, width, bias=False)
        nn.init.zeros_(self.kernel.weight)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor, related: Tensor, waves: Tensor) -> Tensor:
        """Features f32 [m, width], which are related bool [m, m], waves f32 [m, m, 2 WAVES] -> [m, width]."""
        normed = self.norm(x)
        scores = self.kernel(waves).permute(2, 0, 1) + self.certainty(normed).T[:, None]
        mixing = torch.where(related, scores, UNRELATED).softmax(dim=2)
        values = self.values(normed).unflatten(1, (self.heads, -1)).transpose(0, 1)
        difference = (mixing @ values - values).transpose(0, 1).flatten(1)
        return x + self.out(self.dropout(gelu(difference)))


class CnnTime(nn.Module):
    """FaceCnn, kept as it is, with temporal convolutions between its features and its last layer.

    The answer to a face does not depend on the order of rows, nor on those of other tracks; a face alone is answered
    as FaceCnn answers.
    """

    def __init__(self, cnn: FaceCnn | None = None, layers: int = 2) -> None:
        super().__init__()
        self.cnn = (cnn or FaceCnn(WIDTH)).requires_grad_(False)
        self.layers = nn.ModuleList(TemporalConvolution(WIDTH) for _ in range(layers))

    def train(self, mode: bool = True) -> CnnTime:
        """Set the mode of the temporal layers; the CNN stays as it answers."""
        super().train(mode)
        self.cnn.eval()
        return self

    def forward(self, faces: Tensor, positions: Tensor) -> Tensor:
        """Faces f32 [m, 1, 48, 48], zero mean and unit variance, positions i64 [m, 2] -> logits [m, 7]."""
        return self.classify(faces, positions)[0]

    def classify(self, faces: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """As `forward`, but -> logits [m, 7] and embedding [m, 192]."""
        features = self.relate(self.cnn.body(self.cnn.stem(faces)).mean((2, 3)), positions)
        return self.cnn.head(features), features

    def relate(self, features: Tensor, positions: Tensor) -> Tensor:
        """Features f32 [m, 192] of single faces -> the same, each seen in its track.

        Positions i64 [m, 2] are the track's key and the time in ms (the contract's TRACK_POSITIONS).
        """
        keys, times_ms = positions[:, 0], positions[:, 1]
        away_s = (times_ms[None] - times_ms[:, None]).float() / 1000
        related = (keys[:, None] == keys[None]) & (away_s.abs() <= REACH_S)
        waves = _waves(away_s)
        for layer in self.layers:
            features = layer(features, related, waves)
        return features


def _waves(away_s: Tensor) -> Tensor:
    """Distances in seconds [m, m] -> the Fourier series [m, m, 2 WAVES] that kernels are made of.

    Its period is twice the kernel's length, so that both ends of the kernel are free.
    """
    numbers = torch.arange(1, WAVES + 1, device=away_s.device)
    angles = away_s[:, :, None] * (numbers * (math.pi / (2 * REACH_S)))
    return torch.cat([angles.cos(), angles.sin()], dim=2)


class ServedCnnTime(Served):
    """The graph of the step `expression`: FACES, TRACK_POSITIONS -> LOGITS [m, 7], EMBEDDING [m, 192].

    Faces become as the model was trained: grey, shrunk, of zero mean and unit variance. The logits are divided by the
    temperature (Guo et al. 2017).
    """

    def __init__(self, model: CnnTime, temperature: float = 1.0) -> None:
        super().__init__()
        self.model = model
        self.prepare = SmallGrey(FACE_PX, SIDE_PX)
        self.temperature = temperature

    @classmethod
    def load(cls, folder: Path) -> ServedCnnTime:
        """Read the folder's trained weights; TriptychError when they are not those of this model."""
        model = CnnTime()
        temperature = weights.load(model, folder / weights.FILE)
        return cls(model.eval(), temperature)

    def example(self) -> tuple[Tensor, Tensor]:
        """Two faces of one person, half a second apart, and one of another."""
        return torch.zeros(3, FACE_PX, FACE_PX, 3, dtype=torch.uint8), torch.tensor([[0, 0], [0, 500], [1, 0]])

    def forward(self, faces: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Faces u8 [m, 112, 112, 3] RGB, positions i64 [m, 2] -> logits f32 [m, 7], embedding f32 [m, 192]."""
        logits, embedding = self.model.classify(standardise(self.prepare(faces)), positions)
        return logits / self.temperature, embedding
