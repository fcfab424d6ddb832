"""Which inputs there are: every mutation of every seed, in turn, and the bombs. An input's name makes it again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from random import Random

from benchmarks.fuzz import bytewise, matroska, mp4
from benchmarks.fuzz.bombs import BOMBS
from benchmarks.fuzz.seeds import Seed, contents

Mutation = Callable[[bytes, Random], bytes]

BYTEWISE: dict[str, Mutation] = {
    mutation.__name__: mutation for mutation in (bytewise.flips, bytewise.integers, bytewise.cut, bytewise.repeat)
}
STRUCTURAL: dict[str, tuple[str, Mutation]] = {
    "boxes": ("mov,mp4", mp4.boxes),
    "elements": ("matroska", matroska.elements),
}
"""The kind, how FFmpeg's name of the container begins, and the function."""
SPLICE, BOMB = "splice", "bomb"

STRUCTURAL_SHARE = 4
"""So many inputs by structure for each of another kind."""
LARGE_BYTES = 1 << 20
"""Seeds from here on take their turn one round in four, and are not spliced into others."""
LARGE_TURN = 4


@dataclass(frozen=True)
class Case:
    """One input: what it is made from, how, and which of those."""

    seed: str
    kind: str
    number: int = 0

    @property
    def name(self) -> str:
        """What makes the input again: seed/kind/number."""
        return f"{self.seed}/{self.kind}/{self.number}"

    @classmethod
    def named(cls, name: str) -> Case:
        """Read a name; ValueError for one that is none."""
        seed, kind, number = name.rsplit("/", 2)
        return cls(seed, kind, int(number))


@dataclass(frozen=True)
class Corpus:
    """The seeds by name."""

    seeds: dict[str, Seed]

    @classmethod
    def of(cls, seeds: Sequence[Seed]) -> Corpus:
        """Return the corpus of some seeds."""
        return cls({seed.name: seed for seed in seeds})

    def data(self, case: Case) -> bytes:
        """Return an input's bytes: the same for the same name and the same seeds."""
        if case.kind == BOMB:
            return BOMBS[case.seed]()
        data, random = self.seeds[case.seed].data, Random(case.name)
        if case.kind == SPLICE:
            return bytewise.splice(data, random, [seed.data for seed in self.seeds.values() if not _is_large(seed)])
        mutation = BYTEWISE.get(case.kind) or STRUCTURAL[case.kind][1]
        return mutation(data, random)

    def mutated(self, count: int) -> list[Case]:
        """Return so many inputs, every seed and kind in its turn."""
        numbers: Counter[tuple[str, str]] = Counter()
        cases = []
        for seed, kind in islice(self._turns(), count):
            cases.append(Case(seed, kind, numbers[seed, kind]))
            numbers[seed, kind] += 1
        return cases

    def _turns(self) -> Iterator[tuple[str, str]]:
        everyone = [(seed.name, kind) for seed in self.seeds.values() for kind in kinds(seed)]
        small = [(name, kind) for name, kind in everyone if not _is_large(self.seeds[name])]
        return cycle([*everyone, *small * (LARGE_TURN - 1)])


def bombs() -> list[Case]:
    """Return every bomb."""
    return [Case(name, BOMB) for name in BOMBS]


def kinds(seed: Seed) -> list[str]:
    """Return the mutations that fit a seed, as often as they take turns."""
    container, _ = contents(seed.data)
    fitting = [kind for kind, (beginning, _) in STRUCTURAL.items() if container.startswith(beginning)]
    return [*BYTEWISE, SPLICE, *fitting * STRUCTURAL_SHARE]


def _is_large(seed: Seed) -> bool:
    return len(seed.data) > LARGE_BYTES
