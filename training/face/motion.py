"""Synthetic sequences of faces, made from stills: what there is to learn of time without a labelled video.

A sequence is one picture that moves, two pictures of one class that turn into each other, or a neutral picture that
turns into one of an emotion (or back). They drift, turn, change in size and light, and shake as detected faces do; in
*disturbed* sequences some frames are blurred, noisy or covered. This is not video: nothing in a face moves on its own,
and where two pictures meet they are of two people, one fading into the other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, avg_pool2d, grid_sample

from training.data.draw import uniform
from training.data.fer import FACE_PX, LabelledFaces
from triptych_client.contract import EMOTIONS

FRAMES = 8
"""Frames of a sequence: as many as Triptych samples at least from a clip."""
HELD, VARIED, CHANGING = 0.4, 0.2, 0.4
"""Shares of sequences of one picture, of two of a class, and of neutral and another class."""
NEUTRAL = EMOTIONS.index("neutral")


@dataclass(frozen=True)
class Sequences:
    """Grey levels f32 [n, FRAMES, 48, 48], times i64 [n, FRAMES] in ms and soft targets f32 [n, FRAMES, 7]."""

    frames: Tensor
    times_ms: Tensor
    targets: Tensor

    def rows(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return all frames u8 [m, 48, 48], their TRACK_POSITIONS i64 [m, 2] and their targets f32 [m, 7]."""
        keys = torch.arange(len(self.frames))[:, None].expand_as(self.times_ms)
        positions = torch.stack([keys, self.times_ms], dim=2)
        return self.frames.flatten(0, 1).round().byte(), positions.flatten(0, 1), self.targets.flatten(0, 1)


def compose(faces: LabelledFaces, chosen: Tensor, disturbed: bool | Tensor, generator: torch.Generator) -> Sequences:
    """Make one sequence of each chosen row [n] of `faces`; `disturbed` for all, or for each [n]."""
    first, second = _partners(faces, chosen, generator)
    count = len(chosen)
    times_s = _times(count, generator)
    share = _transition(times_s, generator)
    pictures = torch.lerp(
        faces.images[first][:, None].float(), faces.images[second][:, None].float(), share[..., None, None]
    )
    targets = torch.lerp(faces.targets[first][:, None], faces.targets[second][:, None], share[..., None])
    frames = _lit(_moved(pictures, times_s, generator), times_s, generator)
    spoilt = _spoilt(frames, generator)
    where = torch.as_tensor(disturbed).expand(count)[:, None, None, None]
    return Sequences(torch.where(where, spoilt, frames), (times_s * 1000).round().long(), targets)


def _partners(faces: LabelledFaces, chosen: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return the first and the last picture of each sequence, rows of `faces` [n] and [n]; one of them is `chosen`."""
    kind = torch.rand(len(chosen), generator=generator)
    classes = torch.where(kind < HELD + VARIED, faces.labels[chosen], NEUTRAL)
    other = torch.where(kind < HELD, chosen, _random_row_of(classes, faces.labels, generator))
    backwards = torch.rand(len(chosen), generator=generator) < 0.5
    return torch.where(backwards, chosen, other), torch.where(backwards, other, chosen)


def _random_row_of(classes: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Return for each class [n] the row of some picture of it."""
    order = labels.argsort(stable=True)
    counts = labels.bincount(minlength=len(EMOTIONS))
    starts = counts.cumsum(0) - counts
    place = torch.rand(len(classes), generator=generator) * counts[classes]
    return order[starts[classes] + place.long()]


def _times(count: int, generator: torch.Generator) -> Tensor:
    """Return rising times [n, FRAMES] in seconds, a frame each 0.1 to 0.7 s, somewhat unevenly."""
    step = torch.exp(uniform((count, 1), math.log(0.1), math.log(0.7), generator))
    return (torch.arange(FRAMES) + uniform((count, FRAMES), -0.2, 0.2, generator)) * step


def _transition(times_s: Tensor, generator: torch.Generator) -> Tensor:
    """Return the second picture's share [n, FRAMES]: it rises within 0.2 to 1.2 s, somewhere in the sequence."""
    count = len(times_s)
    middle = times_s[:, :1] + uniform((count, 1), 0.1, 0.9, generator) * (times_s[:, -1:] - times_s[:, :1])
    duration = uniform((count, 1), 0.2, 1.2, generator)
    return torch.sigmoid(6 * (times_s - middle) / duration)


def _moved(pictures: Tensor, times_s: Tensor, generator: torch.Generator) -> Tensor:
    """Place [n, FRAMES, 48, 48] as an aligned face that moves: drifting in turn, size and place, shaking a little."""

    def path(spread: float, drift: float, shake: float) -> Tensor:
        start = uniform((len(times_s), 1), -spread, spread, generator)
        return start + _drift(times_s, drift, generator) + shake * torch.randn(times_s.shape, generator=generator)

    angle, scale = path(8, 6, 1.5) * math.pi / 180, torch.exp(path(0.1, 0.06, 0.02))
    shift_x, shift_y = path(0.06, 0.05, 0.02), path(0.06, 0.05, 0.02)
    mirror = torch.where(torch.rand(len(times_s), 1, generator=generator) < 0.5, -1.0, 1.0)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    maps = torch.stack([mirror * cos, -sin, shift_x, mirror * sin, cos, shift_y], dim=2).view(-1, 2, 3)
    grid = affine_grid(maps, [len(maps), 1, FACE_PX, FACE_PX], align_corners=False)
    moved = grid_sample(pictures.flatten(0, 1)[:, None], grid, padding_mode="border", align_corners=False)
    return moved.view_as(pictures)


def _lit(frames: Tensor, times_s: Tensor, generator: torch.Generator) -> Tensor:
    """Bend the tones of [n, FRAMES, 48, 48] by a gamma that differs between sequences and drifts within."""
    gamma = torch.exp(uniform((len(frames), 1), -0.25, 0.25, generator) + _drift(times_s, 0.15, generator))
    return 255 * (frames / 255).pow(gamma[..., None, None])


def _spoilt(frames: Tensor, generator: torch.Generator) -> Tensor:
    """Blur, cover and add noise to about half of the frames [n, FRAMES, 48, 48], in runs."""
    blurred = torch.where(_run(frames, generator), _blur(frames), frames)
    covered = torch.where(_rectangle(frames, generator), uniform((len(frames), 1, 1, 1), 0, 255, generator), blurred)
    noise = uniform((len(frames), 1, 1, 1), 0, 15, generator) * torch.randn(frames.shape, generator=generator)
    return (covered + noise).clamp(0, 255)


def _blur(frames: Tensor) -> Tensor:
    """Average over 5 pixels, twice: a face out of focus or moving fast."""
    for _ in range(2):
        frames = avg_pool2d(frames, 5, stride=1, padding=2, count_include_pad=False)
    return frames


def _rectangle(frames: Tensor, generator: torch.Generator) -> Tensor:
    """Return bool [n, FRAMES, 48, 48]: where a thing passes, in a run of frames, before a part of the face."""
    count = len(frames)
    position = (torch.arange(FACE_PX) + 0.5) / FACE_PX
    inside = []
    for _axis in range(2):
        centre = uniform((count, 1, 1), 0.1, 0.9, generator) + uniform((count, FRAMES, 1), -0.08, 0.08, generator)
        inside.append((position - centre).abs() < uniform((count, 1, 1), 0.2, 0.45, generator))
    return inside[0][..., :, None] & inside[1][..., None, :] & _run(frames, generator)


def _run(frames: Tensor, generator: torch.Generator) -> Tensor:
    """Return bool [n, FRAMES, 1, 1]: none to FRAMES - 2 frames in a row."""
    length = torch.randint(0, FRAMES - 1, (len(frames), 1), generator=generator)
    start = torch.randint(0, FRAMES, (len(frames), 1), generator=generator)
    return ((torch.arange(FRAMES) - start) % FRAMES < length)[..., None, None]


def _drift(times_s: Tensor, size: float, generator: torch.Generator) -> Tensor:
    """Return a slow swing [n, FRAMES] of up to `size`, 0.1 to 0.6 times a second."""
    count = len(times_s)
    rate, phase = uniform((count, 1), 0.1, 0.6, generator), uniform((count, 1), 0, 1, generator)
    return uniform((count, 1), 0, size, generator) * torch.sin(2 * math.pi * (rate * times_s + phase))
