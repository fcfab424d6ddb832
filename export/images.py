"""Preprocessing of pictures inside a graph, as operators that every runtime has."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

GREY = (0.299, 0.587, 0.114)
"""ITU-R BT.601 weights of red, green and blue: the grey of OpenCV and Pillow."""


def resizing(size: int, to: int) -> Tensor:
    """Return the matrix [to, size] that resizes a column of pixels bilinearly, without aliasing.

    A square picture p is then resized by `m @ p @ m.T`: an antialiased resize is no operator of TensorRT's.
    """
    return functional.interpolate(torch.eye(size)[None, None], (to, size), mode="bilinear", antialias=True)[0, 0]
