"""A job: a manifest into a folder of Parquet, partition by partition, going on where one before it was ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from triptych_client.batch.fetching import Fetching
from triptych_client.batch.gathering import Finished, Gathering
from triptych_client.batch.lane import Asked
from triptych_client.batch.ledger import Ledger, Plan
from triptych_client.batch.manifest import Manifest
from triptych_client.batch.pieces import Piece
from triptych_client.batch.rates import Rates
from triptych_client.batch.stores import Folder, Note, Patience
from triptych_client.errors import TriptychClientError
from triptych_client.footage.sending import bounds_of

if TYPE_CHECKING:
    from triptych_client.batch.pipeline import Cluster

EVERY_S = 30.0
"""So often a line says how far the job is."""

Stream = Callable[[Sequence[int]], Iterator[Piece]]
"""Asks about the clips of these numbers, and yields what comes, in any order, perhaps twice, perhaps not all."""


@dataclass(frozen=True)
class Wish:
    """What a job does: partitions of so many clips below `out`, windows of `window_s` of long footage."""

    out: str
    partition: int = 100
    asked: Asked = field(default_factory=Asked)
    window_s: float | None = None
    patience: Patience = field(default_factory=Patience)


@dataclass
class Job:
    """A manifest's clips into a folder; `say` is told how far it is."""

    manifest: Manifest
    wish: Wish
    say: Note
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        asked = {**asdict(self.wish.asked), "window_s": self.wish.window_s}
        self.plan = Plan(self.manifest.digest, len(self.manifest.clips), self.wish.partition, asked)
        folder = Folder(self.wish.out, self.wish.patience, lambda reason: self.say(f"{self.wish.out}: {reason}"))
        self.ledger = Ledger(folder, self.plan)
        self._said_s = self.clock()

    def run(self, stream: Callable[[], Stream]) -> Rates:
        """Do what is missing; `stream` is asked for when there is any. TriptychClientError for what ends it before."""
        done, counts = self.ledger.open()
        rates = Rates(self.plan.clips, counts.clips, counts.failed, self.clock)
        open_partitions = {number: {} for number in self.plan.partitions if number not in done}
        if open_partitions:
            self._all(open_partitions, stream(), rates)
        return rates

    def _all(self, missing: dict[int, dict[int, Finished]], ask: Stream, rates: Rates) -> None:
        """Ask until nothing is missing: a stage that was run again after it was lost may leave something out."""
        gathering = Gathering(self.manifest.clips)
        while missing:
            before = rates.done
            todo = [clip for number, have in missing.items() for clip in self.plan.members(number) if clip not in have]
            for piece in ask(todo):
                clip = gathering.add(piece)
                if clip is not None:
                    rates.add(clip)
                    self._take(clip, missing)
                    self._tell(rates)
            if missing and rates.done == before:
                raise TriptychClientError(f"{len(todo)} clips came to nothing: neither an answer nor a reason")

    def _take(self, clip: Finished, missing: dict[int, dict[int, Finished]]) -> None:
        """Keep a clip; with the last of its partition, write that."""
        number = self.plan.partition_of(clip.clip)
        missing[number][clip.clip] = clip
        if len(missing[number]) == len(self.plan.members(number)):
            self.ledger.commit(number, missing.pop(number).values())

    def _tell(self, rates: Rates) -> None:
        now = self.clock()
        if now - self._said_s >= EVERY_S or rates.done == 1:
            self._said_s = now
            self.say(rates.line())


def on_cluster(job: Job, cluster: Cluster) -> Stream:
    """Return what asks the servers of a cluster, as soon as they answer."""
    bounds = bounds_of(cluster.limits(), job.wish.window_s)
    fetching = Fetching(bounds, job.wish.patience)
    return lambda todo: cluster.answered(job.manifest.clips, todo, fetching, job.wish.asked)
