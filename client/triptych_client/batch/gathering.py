"""Pieces in any order -> clips that are whole. A piece that comes twice counts once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from triptych_client.batch.pieces import Piece
from triptych_client.errors import InvalidClip
from triptych_client.footage.parts import Part
from triptych_client.footage.stitching import stitch
from triptych_client.results import Analysis


@dataclass(frozen=True)
class Finished:
    """What became of clip number `clip`: an answer, or why there is none; in `parts` pieces, so many without one."""

    clip: int
    path: str
    analysis: Analysis | None
    kind: str = ""
    error: str = ""
    retries: tuple[str, ...] = ()
    parts: int = 1
    parts_failed: int = 0

    @property
    def seconds(self) -> float:
        """How long the clip is, 0 where that is not known."""
        return (self.analysis.clip.duration_s or 0.0) if self.analysis else 0.0


@dataclass
class Gathering:
    """Holds the pieces of clips that are not whole yet; `paths` names the clips by their number."""

    paths: Sequence[str]
    _held: dict[int, dict[int, Piece]] = field(default_factory=dict)
    _finished: set[int] = field(default_factory=set)

    def add(self, piece: Piece) -> Finished | None:
        """Take a piece; return its clip when that is whole by it."""
        if piece.clip in self._finished:
            return None
        held = self._held.setdefault(piece.clip, {})
        held.setdefault(piece.window, piece)
        last = next((window for window, it in held.items() if it.is_last), None)
        if last is None or any(window not in held for window in range(last)):
            return None
        del self._held[piece.clip]
        self._finished.add(piece.clip)
        return _finished(self.paths[piece.clip], [held[window] for window in range(last + 1)])


def _finished(path: str, pieces: Sequence[Piece]) -> Finished:
    failed = [piece for piece in pieces if piece.error]
    retries = tuple(reason for piece in pieces for reason in piece.retries)
    told = Finished(pieces[0].clip, path, None, "", "", retries, len(pieces), len(failed))
    try:
        return replace(told, analysis=_analysis(path, pieces))
    except InvalidClip:
        return replace(told, kind=failed[0].kind, error=failed[0].error)


def _analysis(path: str, pieces: Sequence[Piece]) -> Analysis:
    """Return a clip's answer; InvalidClip where none of its pieces has one."""
    parts = [_within(piece.part(), pieces) for piece in pieces]
    if any(piece.is_film for piece in pieces) or parts[0].analysis is None:
        return stitch(parts, path, pieces[0].film_s or None)
    analysis = parts[0].analysis
    return replace(analysis, clip=replace(analysis.clip, path=path))


def _within(part: Part, pieces: Sequence[Piece]) -> Part:
    """Return a part with a place in the film: the end of what could not be cut further has none of its own."""
    if part.end_s or part.index == 0:
        return part
    end_s = pieces[part.index - 1].end_s
    return replace(part, start_s=end_s, end_s=end_s, origin_s=end_s)
