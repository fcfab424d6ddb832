"""Reads the weights of a Keras HDF5 file as data, in PyTorch's layouts; Keras itself is not needed."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor

AXES = {"kernel": (3, 2, 0, 1), "pointwise_kernel": (3, 2, 0, 1), "depthwise_kernel": (2, 3, 0, 1)}
"""Keras stores kernels as [height, width, in, out], depthwise ones as [height, width, channel, 1]."""


def read(path: Path) -> dict[str, dict[str, Tensor]]:
    """Return every layer's weights by layer name and weight name, such as `conv2d_1` and `kernel`."""
    layers: dict[str, dict[str, Tensor]] = {}
    with h5py.File(path, "r") as file:

        def collect(name: str, item: h5py.HLObject) -> None:
            if isinstance(item, h5py.Dataset):
                weight = name.rsplit("/", 1)[-1].split(":")[0]
                layers.setdefault(name.split("/")[0], {})[weight] = _tensor(weight, np.asarray(item))

        weights = file["model_weights"]
        assert isinstance(weights, h5py.Group)
        weights.visititems(collect)
    return layers


def _tensor(weight: str, values: np.ndarray) -> Tensor:
    axes = AXES.get(weight)
    return torch.from_numpy(np.ascontiguousarray(values.transpose(axes) if axes else values))
