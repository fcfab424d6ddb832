"""Clips that are whole -> tables of Parquet: a row a clip, a row a window, and a row a clip that has no answer."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from triptych_client.archive import parquet
from triptych_client.batch.gathering import Finished
from triptych_client.formats import CSV_COLUMNS, Failed, clip_row
from triptych_client.results import Analysis
from triptych_client.tables import WINDOW_COLUMNS, window_rows

CLIPS, WINDOWS, DEAD_LETTERS = TABLES = ("clips", "windows", "dead_letters")
"""Folders of --out."""

VERSIONS = ("models", "triton", "triptych")
"""Which models answered, with their sha256, in which versions of Triton and of Triptych; in each row of an answer."""

COLUMNS: Mapping[str, tuple[str, ...]] = {
    CLIPS: ("clip", *CSV_COLUMNS, "kind", "retries", "parts", "parts_failed", *VERSIONS),
    WINDOWS: ("clip", *WINDOW_COLUMNS, *VERSIONS),
    DEAD_LETTERS: ("clip", "path", "kind", "error", "retries"),
}
TEXTS = frozenset({"kind", "retries", *VERSIONS})
COUNTS = frozenset({"clip", "parts", "parts_failed"})


def schema(table: str) -> Any:
    """Return the schema of a table; any cell but `clip` and `path` may be null."""
    pa = parquet.check()

    def column(name: str) -> Any:
        own = pa.string() if name in TEXTS else pa.int64() if name in COUNTS else None
        return pa.field(name, own) if own else parquet.schema([name]).field(name)

    return pa.schema([column(name) for name in COLUMNS[table]])


def written(table: str, clips: Iterable[Finished]) -> tuple[bytes, int]:
    """Return a file of Parquet with a table's rows of clips, in their order, and how many they are."""
    pa = parquet.check()
    rows = [
        {name: parquet.text(cell) for name, cell in row.items()}
        for clip in sorted(clips, key=lambda clip: clip.clip)
        for row in _ROWS[table](clip)
    ]
    target = io.BytesIO()
    pa.parquet.write_table(pa.Table.from_pylist(rows, schema=schema(table)), target, compression="zstd")
    return target.getvalue(), len(rows)


def models_of(analysis: Analysis) -> str:
    """Return the models of an answer in one text: role, name and the beginning of the sha256."""
    return "; ".join(f"{role} {it.name} {(it.sha256 or '-')[:12]}" for role, it in sorted(analysis.models.items()))


def _clip_rows(clip: Finished) -> Iterator[dict[str, Any]]:
    yield {
        "clip": clip.clip,
        **clip_row(clip.analysis or Failed(clip.path, clip.error)),
        "kind": clip.kind or None,
        "retries": "\n".join(clip.retries) or None,
        "parts": clip.parts,
        "parts_failed": clip.parts_failed,
        **_versions(clip.analysis),
    }


def _window_rows(clip: Finished) -> Iterator[dict[str, Any]]:
    if clip.analysis is not None:
        own = {"clip": clip.clip, **_versions(clip.analysis)}
        yield from ({**row, **own} for row in window_rows(clip.analysis))


def _dead_letter_rows(clip: Finished) -> Iterator[dict[str, Any]]:
    if clip.analysis is None:
        retries = "\n".join(clip.retries) or None
        yield {"clip": clip.clip, "path": clip.path, "kind": clip.kind, "error": clip.error, "retries": retries}


def _versions(analysis: Analysis | None) -> dict[str, str]:
    if analysis is None:
        return {}
    server = analysis.server
    return {"models": models_of(analysis), "triton": server.triton, "triptych": server.triptych}


_ROWS = {CLIPS: _clip_rows, WINDOWS: _window_rows, DEAD_LETTERS: _dead_letter_rows}
