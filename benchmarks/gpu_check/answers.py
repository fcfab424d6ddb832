"""Whether two servers give the same answer: probabilities within a tolerance, the same words, the same channels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gpu_check.results import Answer
from benchmarks.load import part
from triptych_client import Client
from triptych_client.results import Analysis

TOLERANCE = 0.02
"""How far a probability may be from that of the CPU: sums in another order, and ties that they decide."""


@dataclass(frozen=True)
class Clip:
    """A media file in memory."""

    name: str
    data: bytes


def clips(path: Path, others: Path | None, seconds: float = 3.0) -> list[Clip]:
    """Return a clip, its first seconds, its pictures alone, its sound alone; and the files of a folder of others."""
    more = sorted(file for file in others.iterdir() if file.is_file()) if others else []
    return [
        Clip(path.name, path.read_bytes()),
        Clip(f"{path.name}, {seconds:g} s", part(path, {"video", "audio"}, seconds)),
        Clip(f"{path.name}, pictures", part(path, {"video"})),
        Clip(f"{path.name}, sound", part(path, {"audio"})),
        *(Clip(file.name, file.read_bytes()) for file in more),
    ]


def ask(url: str, asked: Sequence[Clip], timeout_s: float) -> list[Analysis]:
    """Return the answers of a server."""
    with Client(url) as client:
        return [client.analyze(clip.data, timeout_s=timeout_s) for clip in asked]


def compare(clip: str, on_cpu: Analysis, on_device: Analysis) -> Answer:
    """Compare two answers for one clip."""
    differences = dict(_differences(on_cpu, on_device))
    where = max(differences, key=differences.__getitem__)
    said = [[(one.text, one.language) for one in answer.transcript.utterances] for answer in (on_cpu, on_device)]
    states = [{name: one.status for name, one in answer.channels.items()} for answer in (on_cpu, on_device)]
    return Answer(
        clip,
        on_cpu.emotion.label,
        on_device.emotion.label,
        differences[where],
        where,
        same_text=said[0] == said[1],
        same_channels=states[0] == states[1],
    )


def agrees(answer: Answer) -> bool:
    """Tell whether that is the same answer."""
    return answer.difference <= TOLERANCE and answer.same_text and answer.same_channels


def _differences(one: Analysis, other: Analysis) -> Iterator[tuple[str, float]]:
    for label, value in one.emotion.probabilities.items():
        yield f"{label}, fused", abs(value - other.emotion.probabilities[label])
    for name, channel in one.channels.items():
        theirs = other.channels[name].probabilities
        if channel.probabilities is not None and theirs is not None:
            yield from ((f"{label}, {name}", abs(p - theirs[label])) for label, p in channel.probabilities.items())
