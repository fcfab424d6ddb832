"""The answers as two tables of Parquet: a row a clip, and a row a window of the timeline (pyarrow; extra `parquet`)."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from triptych_client import files
from triptych_client.errors import TriptychClientError
from triptych_client.formats import CSV_COLUMNS, Failed, clip_row
from triptych_client.results import Analysis
from triptych_client.tables import WINDOW_COLUMNS, window_rows

CLIPS, WINDOWS = "clips.parquet", "windows.parquet"

GROUP_ROWS = 8192
"""Rows that are held before they are written: a table of any length takes no more memory."""

TEXTS = frozenset({"path", "language", "text", "audio_tags", "rationale", "error", "label", "status"})
FLAGS = frozenset({"abstained", "conflict"})
COUNTS = frozenset({"faces"})


def check() -> Any:
    """Return pyarrow; TriptychClientError where it is not installed."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise TriptychClientError(
            "--format parquet needs pyarrow, the extra `parquet` of triptych-client: pip install pyarrow"
        ) from None
    return pyarrow


def schema(columns: Iterable[str]) -> Any:
    """Return the types of columns: text, flag, count, and otherwise float64; any may be null."""
    pa = check()

    def kind(column: str) -> Any:
        last = column.rpartition("_")[2]
        if column in TEXTS or last in ("label", "status"):
            return pa.string()
        return pa.bool_() if column in FLAGS else pa.int64() if column in COUNTS else pa.float64()

    return pa.schema([pa.field(column, kind(column)) for column in columns])


def write(clips: Iterable[Analysis | Failed], folder: Path) -> None:
    """Write both tables into a folder, each whole or not at all; the clips are taken one after the other."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with ExitStack() as stack:
            by_clip = _Table(stack.enter_context(files.placed(folder / CLIPS)), CSV_COLUMNS)
            by_window = _Table(stack.enter_context(files.placed(folder / WINDOWS)), WINDOW_COLUMNS)
            with by_clip, by_window:
                for clip in clips:
                    by_clip.add([clip_row(clip)])
                    by_window.add(window_rows(clip) if isinstance(clip, Analysis) else [])
    except OSError as error:
        raise TriptychClientError(f"cannot be written: {error.strerror or error}", str(folder)) from error


class _Table:
    """A file of Parquet that is written while it is entered, GROUP_ROWS at a time."""

    def __init__(self, path: Path, columns: Iterable[str]) -> None:
        pa = check()
        self._schema = schema(columns)
        self._rows: list[dict[str, Any]] = []
        self._table = pa.Table
        self._writer = pa.parquet.ParquetWriter(path, self._schema)

    def __enter__(self) -> _Table:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._flush()
        self._writer.close()

    def add(self, rows: Iterable[dict[str, Any]]) -> None:
        """Add rows; names of files that are no UTF-8 are written with escapes, as in JSON."""
        self._rows.extend({name: text(cell) for name, cell in row.items()} for row in rows)
        if len(self._rows) >= GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        self._writer.write_table(self._table.from_pylist(self._rows, schema=self._schema))
        self._rows.clear()


def text(cell: object) -> object:
    """Return a cell; a text that is no UTF-8, as names of files can be, gets escapes."""
    """Return a cell; a text that is no UTF-8, as names of files can be, gets escapes."""
    return cell.encode("utf-8", "backslashreplace").decode("utf-8") if isinstance(cell, str) else cell
