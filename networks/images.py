"""Preprocessing of pictures inside a graph, as operators that every runtime has."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

GREY = (0.299, 0.587, 0.114)
"""ITU-R BT.601 weights of red, green and blue: the grey of OpenCV, of Pillow, and of the pictures of FER2013."""


def standardise(faces: Tensor) -> Tensor:
    """Faces f32 [n, 1, h, w] -> zero mean and unit variance each: the light of a picture says nothing of its face."""
    mean = faces.mean((1, 2, 3), keepdim=True)
    spread = (faces - mean).square().mean((1, 2, 3), keepdim=True).sqrt()
    return (faces - mean) / (spread + 8.0)  # + 8 grey levels: a blank crop stays near 0 instead of becoming noise


def resizing(size: int, to: int) -> Tensor:
    """Return the matrix [to, size] that resizes a column of pixels bilinearly, without aliasing.

    A square picture p is then resized by `m @ p @ m.T`: an antialiased resize is no operator of TensorRT's.
    """
    return functional.interpolate(torch.eye(size)[None, None], (to, size), mode="bilinear", antialias=True)[0, 0]


def grey(pictures: Tensor) -> Tensor:
    """Pictures of any type [m, h, w, 3] RGB -> f32 [m, h, w].

    The cast comes first, since TensorRT takes bytes into a cast only. A sum of weighted planes: ONNX Runtime is slow at
    a matrix product with three columns (benchmarks/face_grey.py).
    """
    planes = pictures.float()
    red, green, blue = (weight * planes[..., channel] for channel, weight in enumerate(GREY))
    return red + green + blue


class SmallGrey(nn.Module):
    """Square pictures u8 [m, size, size, 3] RGB -> grey f32 [m, 1, to, to], without aliasing."""

    shrink: Tensor

    def __init__(self, size: int, to: int) -> None:
        super().__init__()
        self.register_buffer("shrink", resizing(size, to))

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures u8 [m, size, size, 3] -> f32 [m, 1, to, to]."""
        return (self.shrink @ grey(pictures) @ self.shrink.T)[:, None]
