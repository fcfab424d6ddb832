"""What a job has written: partitions of the manifest, each of which is there when one small object says so.

Stores have no renaming, and a job may be killed between two writes. So the files of a partition have fixed names, are
written first, each whole, and are written again as long as the object that ends the partition is not there: whoever
reads them finds a clip's rows once, whatever happened.
"""

from __future__ import annotations

import json
import os
import socket
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from triptych_client.batch import rows
from triptych_client.batch.gathering import Finished
from triptych_client.batch.stores import Folder
from triptych_client.errors import FolderInUse, TriptychClientError

PRIVATE = "_triptych"
"""Below --out; readers of Parquet leave folders with such names alone."""
PLAN, OWNER, DONE = f"{PRIVATE}/plan.json", f"{PRIVATE}/owner.json", f"{PRIVATE}/done"
VERSION = 1


@dataclass(frozen=True)
class Plan:
    """What a job is: a further run with another one would mix two jobs in one folder.

    `clips` of the manifest whose `digest` this is, in partitions of `size`; `asked` is what is asked about each.
    """

    digest: str
    clips: int
    size: int
    asked: Mapping[str, Any]
    version: int = VERSION

    @property
    def partitions(self) -> range:
        """The numbers of the partitions."""
        return range(-(-self.clips // self.size))

    def members(self, partition: int) -> range:
        """Return the numbers of a partition's clips."""
        return range(partition * self.size, min((partition + 1) * self.size, self.clips))

    def partition_of(self, clip: int) -> int:
        """Return the partition that a clip is in."""
        return clip // self.size


@dataclass(frozen=True)
class Counts:
    """What the partitions that were there before hold."""

    clips: int = 0
    failed: int = 0


@dataclass
class Ledger:
    """The folder of a job, from `open` on that of this run."""

    folder: Folder
    plan: Plan
    run: str = field(default_factory=lambda: uuid.uuid4().hex)

    def open(self) -> tuple[set[int], Counts]:
        """Make the folder this run's; return which partitions are there, and what they hold.

        TriptychClientError for a folder of another job.
        """
        self._check_plan()
        self.folder.write(OWNER, _json({"run": self.run, **_me()}))
        done = [self._read(f"{DONE}/{name}") for name in self.folder.names(DONE)]
        counts = Counts(sum(it["rows"][rows.CLIPS] for it in done), sum(it["rows"][rows.DEAD_LETTERS] for it in done))
        return {it["partition"] for it in done}, counts

    def commit(self, partition: int, clips: Iterable[Finished]) -> None:
        """Write the files of a partition, then what says that they are there.

        FolderInUse when a newer run has made the folder its own: it writes the same partition.
        """
        clips = list(clips)
        self._check_owner()
        counts: dict[str, int] = {}
        for table in rows.TABLES:
            name = f"{table}/part-{partition:06d}.parquet"
            data, counts[table] = rows.written(table, clips)
            if counts[table] or table == rows.CLIPS:
                self.folder.write(name, data)
            else:
                self.folder.remove(name)  # of a run that was killed before it could say that it was there
        told = {"partition": partition, "run": self.run, "rows": counts}
        self.folder.write(f"{DONE}/{partition:06d}.json", _json(told))

    def _check_plan(self) -> None:
        there = self.folder.read(PLAN)
        if there is None:
            self.folder.write(PLAN, _json(asdict(self.plan)))
            return
        try:
            plan = msgspec.json.decode(there, type=Plan)
        except (ValueError, msgspec.ValidationError) as error:
            raise TriptychClientError(f"{PLAN} is no plan of a job ({error})", self.folder.url) from error
        if plan != self.plan:
            differs = [name for name, value in asdict(self.plan).items() if getattr(plan, name) != value]
            raise TriptychClientError(
                f"another job writes there, with another {', '.join(_SAID[name] for name in differs)}; "
                "give it the same, or choose another --out",
                self.folder.url,
            )

    def _check_owner(self) -> None:
        owner = self._read(OWNER)
        if owner.get("run") != self.run:
            who = f"process {owner.get('process')} on {owner.get('host')} since {owner.get('since')}"
            raise FolderInUse(f"a newer run has taken over ({who}); what it lacks, it writes", self.folder.url)

    def _read(self, name: str) -> dict[str, Any]:
        data = self.folder.read(name)
        try:
            return json.loads(data or b"{}")
        except ValueError as error:
            raise TriptychClientError(f"{name} is not what a job writes ({error})", self.folder.url) from error


_SAID = {
    "digest": "manifest",
    "clips": "number of clips",
    "size": "--partition",
    "asked": "task, language or window",
    "version": "version of Triptych",
}
"""Fields of a plan in words."""


def _me() -> dict[str, object]:
    since = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
    return {"process": os.getpid(), "host": socket.gethostname(), "since": since}


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value) + "\n").encode()
