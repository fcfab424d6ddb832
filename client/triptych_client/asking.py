"""The files of a command line through the server: short clips as they are, long footage in windows."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from triptych_client import files, outages
from triptych_client.errors import InvalidClip, TriptychClientError
from triptych_client.footage import parts, sending, stitching
from triptych_client.footage.media import Film
from triptych_client.progress import ClipProgress
from triptych_client.results import Analysis, Outcome

if TYPE_CHECKING:
    from triptych_client.client import Client

CAN_CUT = "pip install 'triptych-client[footage]' (PyAV) lets this command cut it into parts and stitch the answers"
"""Added to the refusal of a clip that is too long or too large, where that is so."""


@dataclass
class Asking:
    """Asks `client` about files, `concurrency` requests at a time. `task` and `language` are `Client.analyze`'s.

    `journals` is the folder where the parts of unfinished films are kept, None for nowhere; `window_s` is how long a
    window of a film is, None for as long as the server takes. `interrupted` is set when a film was: it ends what is
    asked, with what is known of the film.
    """

    client: Client
    progress: ClipProgress
    concurrency: int = 4
    task: str = "transcribe"
    language: str | None = None
    journals: Path | None = None
    window_s: float | None = None
    interrupted: bool = False
    _kept: list[parts.Journal] = field(default_factory=list)

    def in_order(self, paths: Iterable[Path]) -> Iterator[Outcome]:
        """Yield what becomes of files, in their order."""
        start = 0
        for is_long, group in groupby(paths, self._is_long):
            index = start
            for outcome in self._films(group) if is_long else self._clips(group):
                index = start + outcome.index
                yield self._explained(replace(outcome, index=index))
                if self.interrupted:
                    return
            start = index + 1

    def as_done(self, paths: Iterable[Path]) -> Iterator[Outcome]:
        """Yield what becomes of files as soon as it is known, films last; a server that goes away is waited for."""
        indices: list[int] = []
        films: list[tuple[int, Path]] = []

        def clips() -> Iterator[Path]:
            for index, path in enumerate(paths):
                if self._is_long(path):
                    films.append((index, path))
                else:
                    indices.append(index)
                    yield path

        options = {"concurrency": self.concurrency, "task": self.task, "language": self.language}
        for outcome in outages.stream(self.client, clips(), **options):
            yield self._explained(replace(outcome, index=indices[outcome.index]))
        for (index, _), outcome in zip(films, self._films(path for _, path in films)):
            yield replace(outcome, index=index)
            if self.interrupted:
                return

    def forget(self) -> None:
        """Drop the journals of films whose answers are written."""
        for journal in self._kept:
            journal.end()
        self._kept.clear()

    def _clips(self, paths: Iterable[Path]) -> Iterator[Outcome]:
        return self.client.map(paths, concurrency=self.concurrency, task=self.task, language=self.language)

    def _is_long(self, path: Path) -> bool:
        return find_spec("av") is not None and path.is_file() and sending.is_long(path, self._bounds())

    def _bounds(self) -> sending.Bounds:
        return sending.bounds_of(self.client.known_limits(), self.window_s)

    def _films(self, paths: Iterable[Path]) -> Iterator[Outcome]:
        for index, path in enumerate(paths):
            try:
                yield Outcome(index, os.fspath(path), analysis=self._film(path))
            except TriptychClientError as error:
                if not isinstance(error, InvalidClip):
                    raise
                yield Outcome(index, os.fspath(path), error=error)

    def _film(self, path: Path) -> Analysis:
        """Return a film's answer; when it is interrupted, of the parts that are there."""
        bounds = self._bounds()
        journal = self._journal(path, bounds)
        done: list[parts.Part] = []
        with Film(path) as film, self.progress.film(path.name, film.duration_s) as advance:
            options = {"concurrency": self.concurrency, "task": self.task, "language": self.language}
            try:
                for part in sending.stream(self.client, film, bounds, journal=journal, **options):
                    done.append(part)
                    advance(part.end_s - part.start_s)
            except KeyboardInterrupt:
                if not done:
                    raise
                self.interrupted = True
            duration_s = film.duration_s
        if journal and not self.interrupted and not any(part.error for part in done):
            self._kept.append(journal)
        return stitching.stitch(done, os.fspath(path), duration_s, interrupted=self.interrupted)

    def _journal(self, path: Path, bounds: sending.Bounds) -> parts.Journal | None:
        if self.journals is None:
            return None
        key = sending.key_of(path, bounds, self.task, self.language)
        name = f"{files.PREFIX}{sha256(os.fsencode(path.absolute())).hexdigest()[:16]}.parts"
        return parts.Journal(self.journals / name, key)

    def _explained(self, outcome: Outcome) -> Outcome:
        """Add to the refusal of a clip what would let it be analysed."""
        error = outcome.error
        if not isinstance(error, InvalidClip) or "limit is" not in error.reason or find_spec("av"):
            return outcome
        told = InvalidClip(f"{error.reason}. Or: {CAN_CUT}", error.path, request_id=error.request_id)
        return replace(outcome, error=told)
