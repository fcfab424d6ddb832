"""FER2013 faces with FER+ votes: loading, soft targets and augmentation."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate

from networks.face.teacher import SIDE_PX
from networks.images import standardise
from training.data.draw import uniform
from triptych.errors import TriptychError
from triptych_client.contract import EMOTIONS

FILE = "fer2013_train_val.npz"
SPLITS = {"training": 0, "validation": 1}
FACE_PX = SIDE_PX
"""Side of a FER2013 face."""
NAMES = dict(zip(EMOTIONS, ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"), strict=True))
"""FER2013's names of our emotions; FER+ calls them as we do."""


@dataclass(frozen=True)
class LabelledFaces:
    """Grey faces u8 [n, 48, 48], labels i64 [n] and soft targets f32 [n, 7] over EMOTIONS."""

    images: Tensor
    labels: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.images)


def files(folder: Path) -> list[Path]:
    """Return what is read."""
    return [folder / FILE]


def load(folder: Path, vote_share: float) -> tuple[LabelledFaces, LabelledFaces]:
    """Return the training faces without those that are in the validation split too, and the validation faces.

    A target is the label with weight 1 - `vote_share` and the share of FER+ votes with the rest. TriptychError when
    the file is not there or does not hold what it should: see docs/training.md.
    """
    path = folder / FILE
    if not path.is_file():
        raise TriptychError(f"there is no {FILE} in {folder}: --data is the folder that holds it")
    try:
        with np.load(path, allow_pickle=False) as data:
            _check(data)
            images, split = data["images"], data["split"]
            labels = _labels(data["labels"], data["class_names"], split)
            votes = _vote_shares(data["ferplus_votes"], data["ferplus_columns"])
    except (KeyError, TypeError, ValueError, OSError, BadZipFile, zlib.error) as error:
        raise TriptychError(f"{path} cannot be read as FER2013 faces: {error}") from error
    targets = _targets(labels, votes, vote_share)
    train = np.flatnonzero((split == 0) & ~np.isin(_digests(images), _digests(images[split == 1])))
    return _select(images, labels, targets, train), _select(images, labels, targets, np.flatnonzero(split == 1))


@dataclass(frozen=True)
class View:
    """How a model sees faces: their side, and what makes f32 [n, 1 or 3, h, w] of grey levels f32 [n, 1, h, w]."""

    side_px: int = FACE_PX
    normalise: Callable[[Tensor], Tensor] = standardise


def preprocess(images: Tensor, view: View) -> Tensor:
    """Faces u8 [n, 48, 48] -> f32 [n, 1 or 3, side_px, side_px] as `view` has it."""
    faces = images[:, None].float()
    if view.side_px != FACE_PX:
        faces = interpolate(faces, (view.side_px, view.side_px), mode="bilinear", antialias=True)
    return view.normalise(faces)


def augment(images: Tensor, view: View, generator: torch.Generator) -> Tensor:
    """Faces u8 [n, 48, 48] -> f32 [n, 1 or 3, side_px, side_px], each seen a little differently.

    Mirrored, turned by up to 14 degrees, scaled, shifted, its tones bent, and in half of the pictures a rectangle
    blanked (random erasing, Zhong et al. 2020).
    """
    count, side_px = len(images), view.side_px
    grid = affine_grid(_random_affine(count, generator), [count, 1, side_px, side_px], align_corners=False)
    faces = grid_sample(images[:, None].float(), grid, padding_mode="border", align_corners=False)
    gamma = torch.exp(uniform(count, -0.3, 0.3, generator))[:, None, None, None]
    faces = view.normalise(255 * (faces / 255).pow(gamma))
    return faces * _random_mask(count, side_px, generator)


def batches(faces: LabelledFaces, size: int, view: View, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield (augmented faces, targets) of one shuffled epoch; the last, incomplete batch is left out."""
    order = torch.randperm(len(faces), generator=generator)
    for start in range(0, len(order) - size + 1, size):
        rows = order[start : start + size]
        yield augment(faces.images[rows], view, generator), faces.targets[rows]


def _check(data: Mapping[str, np.ndarray]) -> None:
    """ValueError when an array has another shape or type than FER2013's."""
    count = len(data["images"])
    if not count:
        raise ValueError("there are no images")
    shapes = {
        "images": (count, FACE_PX, FACE_PX),
        "labels": (count,),
        "split": (count,),
        "ferplus_votes": (count, len(data["ferplus_columns"])),
    }
    for name, shape in shapes.items():
        array = data[name]
        wanted = "uint8" if name == "images" else "whole numbers"
        if array.shape != shape or array.dtype.kind not in "iu" or (name == "images" and array.dtype != np.uint8):
            raise ValueError(f"{name} are {array.dtype} {list(array.shape)}, not {wanted} {list(shape)}")


def _labels(labels: np.ndarray, names: np.ndarray, split: np.ndarray) -> np.ndarray:
    """Return the labels as indices into EMOTIONS.

    ValueError for a class of another name, one without pictures in a split, or a label that is none.
    """
    ours = {theirs: index for index, theirs in enumerate(NAMES.values())}
    unknown = set(names.tolist()) - set(ours)
    if unknown or labels.min(initial=0) < 0 or labels.max(initial=0) >= len(names):
        raise ValueError(f"unknown classes {sorted(unknown)}, labels {labels.min()} to {labels.max()} of {len(names)}")
    for part, number in SPLITS.items():
        empty = [name for index, name in enumerate(names) if not np.any(labels[split == number] == index)]
        if empty:
            raise ValueError(f"classes without images for {part}: {', '.join(empty)}")
    return np.array([ours[name] for name in names.tolist()], dtype=np.int64)[labels]


def _vote_shares(votes: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Votes [n, 10] -> shares f32 [n, 7] over EMOTIONS; all 0 without a vote for one of them.

    A single vote counts as a slip, as in the FER+ reference code (Barsoum et al. 2016).
    """
    names = columns.tolist()
    ours = votes[:, [names.index(emotion) for emotion in EMOTIONS]].astype(np.float32)
    ours[ours <= 1] = 0
    return ours / np.maximum(ours.sum(1, keepdims=True), 1)


def _targets(labels: np.ndarray, votes: np.ndarray, vote_share: float) -> np.ndarray:
    share = vote_share * votes.sum(1, keepdims=True)
    return ((1 - share) * np.eye(len(EMOTIONS), dtype=np.float32)[labels] + vote_share * votes).astype(np.float32)


def _digests(images: np.ndarray) -> np.ndarray:
    """Return each picture's bytes as one comparable value."""
    return np.ascontiguousarray(images).reshape(len(images), -1).view(f"V{images[0].nbytes}").ravel()


def _select(images: np.ndarray, labels: np.ndarray, targets: np.ndarray, rows: np.ndarray) -> LabelledFaces:
    return LabelledFaces(*(torch.from_numpy(np.ascontiguousarray(array[rows])) for array in (images, labels, targets)))


def _random_affine(count: int, generator: torch.Generator) -> Tensor:
    """Return [n, 2, 3] maps from the output's square to the input's."""
    angle = uniform(count, -14, 14, generator) * math.pi / 180
    scale_x, scale_y = uniform(count, 0.82, 1.12, generator), uniform(count, 0.94, 1.06, generator)
    scale_y = scale_x * scale_y
    mirror = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    shift_x, shift_y = uniform(count, -0.1, 0.1, generator), uniform(count, -0.1, 0.1, generator)
    cos, sin = torch.cos(angle), torch.sin(angle)
    rows = (mirror * scale_x * cos, -scale_x * sin, shift_x, mirror * scale_y * sin, scale_y * cos, shift_y)
    return torch.stack(rows, 1).view(count, 2, 3)


def _random_mask(count: int, side_px: int, generator: torch.Generator) -> Tensor:
    """Return f32 [n, 1, side, side]: 1, but 0 in one rectangle of half of the pictures."""
    position = (torch.arange(side_px) + 0.5) / side_px
    inside = []
    for _axis in range(2):
        centre, half = uniform(count, 0, 1, generator)[:, None], uniform(count, 0.08, 0.22, generator)[:, None]
        inside.append((position - centre).abs() < half)
    erased = inside[0][:, :, None] & inside[1][:, None, :]
    chosen = torch.rand(count, generator=generator) < 0.5
    return (~(erased & chosen[:, None, None]))[:, None].float()
