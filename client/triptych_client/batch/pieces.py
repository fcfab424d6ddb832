"""What is sent for a clip, and what comes back, as rows between the stages of a job: a row a window."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import msgspec
import numpy as np

from triptych_client.archive import parquet
from triptych_client.contract import LOOK_COUNTS, LOOKS_EACH
from triptych_client.footage.parts import Part, looks_of
from triptych_client.results import Analysis

FAST = 1
"""zlib's level: ten times smaller, and hardly slower to write."""


@dataclass(frozen=True)
class Piece:
    """A window of clip number `clip`, or the clip itself where it is short enough; `is_last` ends the clip.

    Times are seconds of the clip, as in `footage.parts.Part`. `kind` and `error` say why there is nothing to be asked,
    or no answer; `retries` what was tried again, and why.
    """

    clip: int
    window: int = 0
    start_s: float = 0.0
    end_s: float = 0.0
    origin_s: float = 0.0
    is_last: bool = True
    is_film: bool = False
    film_s: float = 0.0
    """How long the film is, as its header says; 0 where it does not."""
    kind: str = ""
    error: str = ""
    retries: tuple[str, ...] = ()
    data: bytes = field(default=b"", repr=False)
    """The media file to send."""
    answer: bytes = field(default=b"", repr=False)
    """The answer, as compressed JSON."""
    looks: bytes = field(default=b"", repr=False)
    """How its people look, as in `footage.parts`, compressed; empty where that is not known."""

    def part(self) -> Part:
        """Return what became of the window, for stitching."""
        analysis = Analysis.from_dict(msgspec.json.decode(zlib.decompress(self.answer))) if self.answer else None
        looks = np.frombuffer(zlib.decompress(self.looks), np.uint8) if self.looks else None
        return Part(
            self.window,
            self.start_s,
            self.end_s,
            self.origin_s,
            analysis,
            None if looks is None else looks.reshape(-1, LOOKS_EACH, LOOK_COUNTS),
            self.error,
        )


def packed(analysis: Analysis) -> dict[str, bytes]:
    """Return an answer as the fields of a piece that hold it."""
    looks = looks_of(analysis)
    return {
        "answer": zlib.compress(analysis.to_json(indent=None).encode("utf-8", "backslashreplace"), FAST),
        "looks": b"" if looks is None else zlib.compress(looks.tobytes(), FAST),
    }


def to_table(pieces: Iterable[Piece]) -> Any:
    """Return pieces as a table of Arrow; its columns are the fields."""
    pa = parquet.check()
    types = {
        "int": pa.int64(),
        "float": pa.float64(),
        "bool": pa.bool_(),
        "str": pa.string(),
        "bytes": pa.large_binary(),
    }
    columns = [pa.field(of.name, types.get(str(of.type), pa.list_(pa.string()))) for of in fields(Piece)]
    return pa.Table.from_pylist([asdict(piece) for piece in pieces], schema=pa.schema(columns))


def of_table(table: Any) -> Iterator[Piece]:
    """Yield the pieces of a table."""
    for row in table.to_pylist():
        yield Piece(**{**row, "retries": tuple(row["retries"])})
