"""A clip of a manifest -> what is sent of it: the file as it is, or the windows of long footage, one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from triptych_client.batch import stores
from triptych_client.batch.pieces import Piece
from triptych_client.batch.stores import Patience
from triptych_client.errors import InvalidClip, TriptychClientError
from triptych_client.footage import sending
from triptych_client.footage.cutting import Bounds
from triptych_client.footage.media import Film


@dataclass(frozen=True)
class Fetching:
    """How clips are read: `bounds` is what a server takes at once, longer footage is cut."""

    bounds: Bounds
    patience: Patience = field(default_factory=Patience)

    def pieces(self, clip: int, url: str) -> Iterator[Piece]:
        """Yield what is sent for a clip; the last piece of one that cannot be read, or cut further, says why."""
        notes: list[str] = []
        sent = 0
        try:
            with stores.local(url, self.patience, lambda reason: notes.append(f"StoreError: {reason}")) as path:
                for piece in self._of_file(Piece(clip), path):
                    yield replace(piece, retries=tuple(notes))
                    sent += 1
                    notes.clear()
        except TriptychClientError as error:
            yield Piece(clip, sent, kind=type(error).__name__, error=error.reason, retries=tuple(notes))

    def _of_file(self, clip: Piece, path: Path) -> Iterator[Piece]:
        if not sending.is_long(path, self.bounds):
            yield replace(clip, data=_read(path))
            return
        with Film(path) as film, sending.Source(film, self.bounds, {}) as source:
            yield from _ended(_windows(replace(clip, is_film=True, film_s=film.duration_s or 0.0), source))


def _windows(clip: Piece, source: sending.Source) -> Iterator[Piece]:
    for data in source.files():
        window, origin_s = source.sent[-1], source.origins[-1]
        yield replace(
            clip,
            window=window.index,
            start_s=window.start_s,
            end_s=window.end_s,
            origin_s=origin_s,
            is_last=False,
            data=data,
        )


def _ended(windows: Iterator[Piece]) -> Iterator[Piece]:
    """Yield windows, the last of them marked; what cannot be cut further is an InvalidClip after those before it."""
    held: Piece | None = None
    try:
        for piece in windows:
            if held:
                yield held
            held = piece
    except TriptychClientError:
        if held:
            yield held
        raise
    if held is None:
        raise InvalidClip("nothing of it can be cut into windows")
    yield replace(held, is_last=True)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidClip(f"cannot be read: {error.strerror or error}") from error
