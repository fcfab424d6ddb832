"""A run that analyses clips into a folder: what is there already is not asked for again."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from triptych_client import clips, files, formats
from triptych_client.archive import lock, parquet
from triptych_client.archive.store import Clip, Entry, Store
from triptych_client.copies import Copies, written
from triptych_client.output import Format, Look, Sieve, write_folder
from triptych_client.results import Analysis, Outcome

PRIVATE = ".triptych"
"""The folder below --out that holds what a further run needs."""

CLIPS, FAILURES = "clips.csv", "failures.csv"
FAILURE_COLUMNS = ("path", "kind", "error")

Ask = Callable[[Sequence[Path]], Iterator[Outcome]]
"""Asks the server about files, and yields what became of each as soon as that is known."""


@dataclass(frozen=True)
class Wish:
    """What is asked and written; `again`: clips that failed are asked about anew, `bom`: tables are for Excel.

    `redact` and `embedded_bytes` are those of `output.Look`; `copies` of the clips are written beside the answers.
    """

    format: Format
    lang: str = "en"
    task: str = "transcribe"
    language: str | None = None
    again: bool = False
    bom: bool = False
    redact: bool = False
    embedded_bytes: int | None = None
    copies: Copies = field(default_factory=Copies)

    @property
    def look(self) -> Look:
        """How people see what is written."""
        return Look(self.lang, self.bom, self.redact, self.embedded_bytes)


@dataclass(frozen=True)
class Tally:
    """How a run ended, in clips: answered before it, answered by it, and those that have no answer."""

    before: int
    now: int
    failed: int

    def summary(self) -> str:
        """Return it in one line."""
        told = f"{self.now} answered, {self.before} were answered before"
        if not self.failed:
            return told
        return f"{told}, {self.failed} failed: see {FAILURES}; --retry-failed asks about all of them again"


@contextmanager
def opened(folder: Path, wish: Wish) -> Iterator[Run]:
    """Give a run that writes into a folder, alone; FolderInUse when another run does."""
    if wish.format is Format.PARQUET:
        parquet.check()
    with lock.held(folder / PRIVATE, folder):
        yield Run(folder, wish, Store(folder / PRIVATE))


@dataclass(frozen=True)
class Run:
    """A run into `folder`, whose lock is held."""

    folder: Path
    wish: Wish
    store: Store

    @property
    def private(self) -> Path:
        """Where a run keeps what a further one needs."""
        return self.folder / PRIVATE

    def analyse(self, found: Sequence[clips.Found], ask: Ask, sieve: Sieve) -> Tally:
        """Ask about the clips that have no answer yet, and write what is missing; ValueError for names that clash.

        However it ends, the tables and the report of failures hold what is known then.
        """
        asked = [Clip.of(item.path, self.wish.task, self.wish.language) for item in found]
        names = self._names(asked, found)
        todo = [(clip, item.path) for clip, item in zip(asked, found, strict=True) if not self._is_done(clip)]
        for _ in range(len(found) - len(todo)):
            sieve.progress.advance()
        now = 0
        try:
            self._write_missing(set(asked), sieve)
            for outcome in ask([path for _, path in todo]):
                now += outcome.analysis is not None
                self._take(outcome, todo[outcome.index][0], names, sieve)
        finally:
            self._write_tables()
        kept = [self.store.entries[clip] for clip in asked if clip in self.store.entries]
        failed = sum(entry.place is None for entry in kept)
        return Tally(len(kept) - failed - now, now, failed)

    def _names(self, asked: Sequence[Clip], found: Sequence[clips.Found]) -> dict[Clip, str]:
        """Return the name of each clip's answer, without its suffix; one that was given once stays."""
        given = {entry.clip.path: entry.name for entry in self.store.entries.values()}
        taken = set(given.values())
        names: dict[Clip, str] = {}
        for clip, path in zip(asked, clips.targets(found, Path(), ""), strict=True):
            free = (name for number in count(1) if (name := _numbered(path, number)) not in taken)
            names[clip] = given.get(clip.path) or next(free)
            taken.add(names[clip])
        return names

    def _is_done(self, clip: Clip) -> bool:
        entry = self.store.entries.get(clip)
        return entry is not None and (not entry.kind if self.wish.again else entry.lasting)

    def _take(self, outcome: Outcome, clip: Clip, names: Mapping[Clip, str], sieve: Sieve) -> None:
        """Keep what became of a clip, and write its file."""
        sieve.progress.advance()
        answer = outcome.analysis
        if outcome.error is not None:
            self.store.keep_failure(clip, names[clip], outcome.error)
            sieve.tell(outcome.path, outcome.error)
        elif answer is not None and answer.footage is not None and answer.footage.interrupted:
            self._write(Entry(clip, names[clip]), answer)  # a further run goes on with it
        elif answer is not None:
            self._write(self.store.keep(clip, names[clip], answer), answer)
            self._copy(answer, sieve)

    def _copy(self, answer: Analysis, sieve: Sieve) -> None:
        """Write the copy that shows an answer; the answer stays where that fails."""
        if (error := written(answer, self.wish.copies)) is not None:
            sieve.tell(answer.clip.path, error)

    def _write_missing(self, asked: set[Clip], sieve: Sieve) -> None:
        """Write the answers of earlier runs whose file is not there: a run was killed, or had another format."""
        for clip in asked & self.store.entries.keys():
            entry = self.store.entries[clip]
            if entry.place is not None and not self.wish.format.is_table and not self._target(entry).exists():
                self._write(entry, self.store.answer(entry))
            if entry.place is not None and self.wish.copies.lack(clip.path):
                self._copy(self.store.answer(entry), sieve)

    def _write(self, entry: Entry, analysis: Analysis) -> None:
        if not self.wish.format.is_table:
            answer = analysis.in_language(self.wish.lang)
            write_folder([(0, answer)], [self._target(entry)], self.wish.format, self.wish.look)

    def _target(self, entry: Entry) -> Path:
        return self.folder / f"{entry.name}{self.wish.format.suffix}"

    def _write_tables(self) -> None:
        if self.wish.format is Format.PARQUET:
            parquet.write(self._latest(), self.folder)
        if self.wish.format is Format.CSV:
            with files.whole(self.folder / CLIPS) as stream:
                stream.writelines(formats.csv_rows(self._latest(), bom=self.wish.bom))
        self._write_failures()

    def _latest(self) -> Iterator[Analysis | formats.Failed]:
        """Yield the clips of all runs in order of path, one after the other."""
        for entry in self.store.latest():
            if entry.place is None:
                yield formats.Failed(entry.clip.path, entry.error)
            else:
                yield self.store.answer(entry).in_language(self.wish.lang)

    def _write_failures(self) -> None:
        failed = [entry for entry in self.store.latest() if entry.place is None]
        if not failed:
            (self.folder / FAILURES).unlink(missing_ok=True)
            return
        with files.whole(self.folder / FAILURES) as stream:
            stream.write(formats.BYTE_ORDER_MARK if self.wish.bom else "")
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(FAILURE_COLUMNS)
            writer.writerows(map(formats.inert, (e.clip.path, e.kind, e.error)) for e in failed)


def _numbered(path: Path, number: int) -> str:
    return str(path) if number == 1 else f"{path} ({number})"
