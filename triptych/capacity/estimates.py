"""What clips would cost a host with a GPU: an estimate, since the served graph was not measured on one.

Two things are known: how long each network takes on an H100 (benchmarks/results/stages_h100.md), and how long each step
that stays on the processor takes (benchmarks/results/end_to_end.md). The slower of the two bounds what is answered.
"""

from __future__ import annotations

from dataclasses import dataclass

from triptych.capacity.costs import Host, Point

NETWORKS_ALONE_S = (2.85 + 0.99 + 0.88 + 16.41 + 0.66 + 0.30) / 1000
NETWORKS_MORE_S = (40 / 14.04 + 40 / 32.42 + 1 / 2.097 + 1 / 1.033 + 3 / 34.55 + 7 / 75.03) / 1000
"""A clip of 20 s on the H100, alone, and as one of 32 in a batch: 40 frames, 40 faces, a window of 30 s encoded and
decoded, three utterances and seven windows of a voice model; fp16, as CUDA graphs: stages_h100.md."""
STEPS_S = (13.2 + 570.3 + 23.3 + 49.9 + 45.1 + 21.7 + 57.2 + 2.7 + 13.5) / 1000
"""Of a processor for the same clip: probing, decoding, cutting faces, features, tokens, fusion: end_to_end.md. Measured
while everything shared two cores, so it is rather less; a GPU that decodes video takes most of it away."""
OF_S = 20.0
LENGTHS_S = (1.0, 20.0, 60.0)
SPREAD = 0.1
START_S = 120.0
"""A guess: a GPU server loads engines, and a cloud starts its host."""

H100_TFLOPS, H100_GBS = 706.1, 3001.4
"""fp16 and copy, as they were measured on it: stages_h100.md."""


@dataclass(frozen=True)
class Card:
    """A GPU beside the cores that clouds rent it with: published fp16 TFLOP/s (tensor cores, dense) and GB/s."""

    name: str
    cores: int
    gib: float
    tflops: float
    gbs: float

    @property
    def slower(self) -> float:
        """How many times longer than an H100 it takes: by arithmetic or by memory, whichever is worse."""
        return max(H100_TFLOPS / self.tflops, H100_GBS / self.gbs, 1.0)

    def host(self) -> Host:
        """Return the host that it makes."""
        points = tuple(map(self._point, LENGTHS_S))
        source = (
            "an estimate: networks measured on an H100, scaled by published speeds, and steps measured on two cores"
        )
        return Host(self.name, source, self.cores, 32.0, START_S, points, self.gib, self.bound_by)

    def _point(self, seconds: float) -> Point:
        """Return what a clip costs; its steps follow each other, and the slower side bounds many of them."""
        scale = seconds / OF_S
        lone_s = scale * (STEPS_S + self.slower * NETWORKS_ALONE_S)
        more_s = scale * max(STEPS_S / self.cores, self.slower * NETWORKS_MORE_S)
        return Point(seconds, lone_s, min(more_s / lone_s, 1.0), SPREAD)

    @property
    def bound_by(self) -> str:
        """Return which side is the slower one, in words, with both rates for clips of 20 s."""
        by_cores, by_gpu = self.cores / STEPS_S, 1 / (self.slower * NETWORKS_MORE_S)
        return f"{self.cores} cores decode {by_cores:.1f} clips of 20 s a second, the GPU could do {by_gpu:.0f}"


CARDS = {
    "T4": Card("T4", 4, 16.0, 65.1, 320.0),
    "L4": Card("L4", 4, 24.0, 125.3, 300.0),
    "H100": Card("H100", 24, 80.0, 989.0, 3350.0),
}
"""Cores as of the smallest hosts with one of them (four), and an eighth of one with eight H100 (24)."""
