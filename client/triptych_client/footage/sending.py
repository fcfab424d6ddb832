"""The windows of a film through the server, a few at a time, made when it is their turn."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from triptych_client import outages
from triptych_client.errors import InvalidClip
from triptych_client.footage.cutting import LEAD_S, TAIL_S, Bounds, NoKeyFrame, Window, cut
from triptych_client.footage.media import Film
from triptych_client.footage.parts import Journal, Key, Part, looks_of
from triptych_client.footage.remuxing import encoded_anew, file_of

if TYPE_CHECKING:
    from triptych_client.client import Client
    from triptych_client.connection import Limits

SECONDS, BYTES = 60.0, 64 << 20
"""What a server takes that does not say: its defaults."""

SLACK_S = 0.5
"""The server lets a clip be so much longer than its limit."""


def bounds_of(limits: Limits, window_s: float | None = None) -> Bounds:
    """Return what a window may have for a server, of `window_s` seconds at most; None: as long as the server takes."""
    longest_s = limits.max_seconds or SECONDS
    return Bounds(min(window_s or longest_s, longest_s), limits.max_clip_bytes or BYTES)


def is_long(path: str | os.PathLike[str], bounds: Bounds) -> bool:
    """Tell whether a file is more than one window, as far as its header says; False for what cannot be opened.

    TriptychClientError without PyAV.
    """
    try:
        with Film(path) as film:
            seconds = film.duration_s or 0.0
            return seconds > bounds.seconds + SLACK_S or os.stat(path).st_size > bounds.bytes
    except (InvalidClip, OSError):
        return False


def key_of(path: Path, bounds: Bounds, task: str, language: str | None) -> Key:
    """Return what the parts of a film depend on."""
    status = path.stat()
    file = (os.fspath(path.absolute()), str(status.st_size), str(status.st_mtime_ns))
    return (*file, task, language or "", f"{bounds.seconds:g}", str(bounds.bytes), f"{LEAD_S:g}", f"{TAIL_S:g}")


def stream(
    client: Client, film: Film, bounds: Bounds, *, concurrency: int, journal: Journal | None = None, **options: Any
) -> Iterator[Part]:
    """Yield the parts of a film, each as soon as it is there; those in the journal first.

    At most `concurrency` windows are held, and the one that is being read. `options` are those of `Client.analyze`.
    """
    known = dict(journal.parts) if journal else {}
    yield from known.values()
    source = Source(film, bounds, known)
    looks = client.known_limits().max_seconds is not None
    with source:
        for outcome in outages.stream(client, source.files(), concurrency=concurrency, looks=looks, **options):
            window = source.sent[outcome.index]
            part = Part(window.index, window.start_s, window.end_s, source.origins[outcome.index])
            if outcome.analysis is not None:
                part = replace(part, analysis=outcome.analysis, looks=looks_of(outcome.analysis))
            else:
                part = replace(part, error=outcome.error.reason if outcome.error else "")
            if journal:
                journal.keep(part)
            yield part


@dataclass
class Source:
    """Makes the files of windows that are not known yet; `sent` are those windows, without their packets."""

    film: Film
    bounds: Bounds
    known: dict[int, Part]
    sent: list[Window] = field(default_factory=list)
    origins: list[float] = field(default_factory=list)
    _open: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def files(self) -> Iterator[bytes]:
        """Yield the files one by one."""
        for window, film in self._windows():
            if window.index not in self.known:
                self.origins.append(window.origin_s)
                self.sent.append(replace(window, packets=()))
                yield file_of(window, film)

    def _windows(self) -> Iterator[tuple[Window, Film]]:
        """Yield the windows; from a place without key frames on, those of the film encoded anew."""
        count, pictures = 0, self.film.video is not None
        try:
            for window in cut(self.film.packets(), self.film.anchor, pictures, self.bounds):
                count = window.index + 1
                yield window, self.film
        except NoKeyFrame as missing:
            start_s = missing.start_s
        else:
            return
        film = self._open.enter_context(encoded_anew(self.film, start_s))
        for window in cut(film.packets(), film.anchor, pictures, self.bounds, start_s, count):
            yield window, film
