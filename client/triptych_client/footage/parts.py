"""The answers for the windows of a film, and the journal from which an interrupted film goes on."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from triptych_client import files
from triptych_client.characters import to_json
from triptych_client.contract import LOOK_COUNTS, LOOKS_EACH, TRACK_LOOKS
from triptych_client.results import Analysis

Key = tuple[str, ...]
"""What an answer depends on: the file, what was asked, and how it was cut."""


@dataclass(frozen=True)
class Part:
    """What became of a window: times are the film's, in seconds, but those inside `analysis` begin at `origin_s`.

    `analysis` is None where the window failed, and `error` says why. `looks` UINT8 [j, 6, 3776]: how its people look,
    see contract.TRACK_LOOKS; None where the server does not say.
    """

    index: int
    start_s: float
    end_s: float
    origin_s: float
    analysis: Analysis | None = None
    looks: np.ndarray | None = field(default=None, compare=False, repr=False)
    error: str = ""


class Journal:
    """Keeps parts in a file, a line each, under a first line with their key; a file with another key is begun anew."""

    def __init__(self, path: Path, key: Key) -> None:
        self._path = path
        self.parts: dict[int, Part] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = list(files.whole_lines(path))
        if lines and json.loads(lines[0]) == list(key):
            self.parts = {part.index: part for part in map(_read, lines[1:])}
        else:
            path.unlink(missing_ok=True)
            files.append(path, (to_json(list(key)) + "\n").encode("utf-8"))

    def keep(self, part: Part) -> None:
        """Keep a window's answer; what failed is tried again another time."""
        if part.analysis is not None:
            self.parts[part.index] = part
            files.append(self._path, (to_json(_plain(part)) + "\n").encode("utf-8"))

    def end(self) -> None:
        """Drop the journal: the film's answer is written."""
        self._path.unlink(missing_ok=True)


def looks_of(analysis: Analysis) -> np.ndarray | None:
    """Return how the people of an answer look, where it was asked for."""
    return analysis.embeddings.get(TRACK_LOOKS.name)


def _plain(part: Part) -> dict[str, object]:
    looks = None if part.looks is None else base64.b64encode(zlib.compress(part.looks.tobytes(), 1)).decode("ascii")
    return {
        "index": part.index,
        "start_s": part.start_s,
        "end_s": part.end_s,
        "origin_s": part.origin_s,
        "answer": part.analysis.to_dict() if part.analysis else None,
        "looks": looks,
    }


def _read(line: str) -> Part:
    told = json.loads(line)
    looks = told["looks"] and np.frombuffer(zlib.decompress(base64.b64decode(told["looks"])), np.uint8)
    return Part(
        *(told[name] for name in ("index", "start_s", "end_s", "origin_s")),
        analysis=Analysis.from_dict(told["answer"]),
        looks=None if looks is None else looks.reshape(-1, LOOKS_EACH, LOOK_COUNTS),
    )
