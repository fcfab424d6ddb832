"""Swin-V2 for small grey faces: transformers' Swin-V2 on top of the convolutions that its teacher learnt first."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import Swinv2Config, Swinv2ForImageClassification

from networks import weights
from networks.face.teacher import SIDE_PX, STEM_CHANNELS, STEM_STRIDE, FaceCnn, ResidualBlock, make_stem
from networks.images import SmallGrey, standardise
from networks.served import Served
from triptych_client.contract import EMOTIONS, FACE_PX


def swin_config(depths: tuple[int, ...] = (2, 2, 1)) -> Swinv2Config:
    """Return the architecture: 12 x 12 tokens of the stem in (shifted) windows of 6, then 6 x 6, then 3 x 3 in one."""
    return Swinv2Config(
        image_size=SIDE_PX // STEM_STRIDE,
        patch_size=1,
        num_channels=STEM_CHANNELS,
        embed_dim=STEM_CHANNELS,
        depths=depths,
        num_heads=tuple(3 * 2**stage for stage in range(len(depths))),
        window_size=6,
        drop_path_rate=0.1,
        id2label=dict(enumerate(EMOTIONS)),
    )


class FaceSwin(nn.Module):
    """Grey face, zero mean and unit variance f32 [n, 1, 48, 48] -> logits [n, 7] over EMOTIONS."""

    def __init__(self, config: Swinv2Config | None = None) -> None:
        super().__init__()
        self.stem = nn.Sequential(make_stem(), ResidualBlock(STEM_CHANNELS, STEM_CHANNELS))
        self.swin = Swinv2ForImageClassification(config or swin_config())

    def forward(self, faces: Tensor) -> Tensor:
        """Faces f32 [n, 1, 48, 48] -> logits [n, 7]."""
        return self.classify(faces)[0]

    def classify(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """Faces f32 [n, 1, 48, 48] -> logits [n, 7] and embedding [n, 384], the mean of the last tokens."""
        embedding = self.swin.swinv2(self.stem(faces)).pooler_output
        return self.swin.classifier(embedding), embedding

    @torch.no_grad()
    def warm_start(self, teacher: FaceCnn) -> None:
        """Take the teacher's first convolutions over (they help: Xiao et al. 2021), and pass their output through.

        The projection of patches starts as the identity. Swin-V2 normalises *after* attention and MLP; those norms
        start with a small gain, so that the untrained blocks disturb the stem's features little.
        """
        for own, taught in zip(self.stem, (teacher.stem, teacher.body[0]), strict=True):
            own.load_state_dict(taught.state_dict())
        projection = self.swin.swinv2.embeddings.patch_embeddings.projection
        for name, parameter in projection.named_parameters():
            (nn.init.dirac_ if name == "weight" else nn.init.zeros_)(parameter)
        for name, parameter in self.swin.named_parameters():
            if name.endswith(("layernorm_before.weight", "layernorm_after.weight")):
                nn.init.constant_(parameter, 0.1)


class ServedFace(Served):
    """The graph of the step `expression`: FACES u8 [m, 112, 112, 3] RGB -> LOGITS [m, 7], EMBEDDING [m, 384].

    The logits are divided by the temperature (Guo et al. 2017).
    """

    def __init__(self, model: FaceSwin, temperature: float = 1.0) -> None:
        super().__init__()
        self.model = model
        self.temperature = temperature
        self.shrink = SmallGrey(FACE_PX, SIDE_PX)

    @classmethod
    def load(cls, folder: Path) -> ServedFace:
        """Read the folder's trained weights; TriptychError when they are not those of this model."""
        model = FaceSwin()
        temperature = weights.load(model, folder / weights.FILE)
        return cls(model.eval(), temperature)

    def example(self) -> tuple[Tensor]:
        """Two blank faces."""
        return (torch.zeros(2, FACE_PX, FACE_PX, 3, dtype=torch.uint8),)

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """Faces u8 [m, 112, 112, 3] -> logits f32 [m, 7], embedding f32 [m, 384]."""
        logits, embedding = self.model.classify(self.prepare(faces))
        return logits / self.temperature, embedding

    def prepare(self, faces: Tensor) -> Tensor:
        """Aligned faces u8 [m, 112, 112, 3] RGB -> as the model was trained, f32 [m, 1, 48, 48].

        Alignment (`triptych.face.crop.TEMPLATE`) frames a face as FER2013 does.
        """
        return standardise(self.shrink(faces))
