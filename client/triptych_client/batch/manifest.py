"""Which clips a manifest names: a table of Parquet or CSV with a column of them, a listing, or a folder."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Any

from triptych_client.archive import parquet
from triptych_client.batch import stores
from triptych_client.batch.stores import Patience
from triptych_client.clips import SUFFIXES
from triptych_client.errors import TriptychClientError

TABLE = ".parquet"


class ManifestError(TriptychClientError):
    """A manifest that cannot be read, or names no clip."""


@dataclass(frozen=True)
class Manifest:
    """The clips in their order, each once: URLs or paths. `repeated` counts those that were named again."""

    url: str
    clips: tuple[str, ...]
    repeated: int = 0

    @cached_property
    def digest(self) -> str:
        """The sha256 of the clips' names: a job goes on with the manifest that it began with."""
        return sha256("\n".join(self.clips).encode("utf-8", "surrogateescape")).hexdigest()


def read(url: str, column: str, patience: Patience) -> Manifest:
    """Return what a manifest names; ManifestError for one that is none, StoreError where its store fails.

    What is relative lies beside the manifest. A folder of Parquet files, as the dead letters of a job, is a table.
    """
    system, path = stores.opened(url)

    def work() -> list[str]:
        try:
            if system.isdir(path):
                return _of_folder(system, path, column)
            suffix = PurePosixPath(path).suffix.lower()
            with system.open(path, "rb") as file:
                return list(_READERS.get(suffix, _of_listing)(file.read(), column))
        except FileNotFoundError:
            raise ManifestError("there is no such manifest", url) from None
        except _Unreadable as error:
            raise ManifestError(str(error), url) from None

    named = patience.keep_trying(url, work, stores.silent)
    if not named:
        raise ManifestError("it names no clip", url)
    base = url if system.isdir(path) else url.rpartition("/")[0]
    clips = tuple(dict.fromkeys(_located(name, base) for name in named))
    return Manifest(url, clips, len(named) - len(clips))


class _Unreadable(Exception):  # noqa: N818  (it never leaves this module)
    """What is wrong with a manifest."""


def _located(name: str, base: str) -> str:
    return name if "://" in name or name.startswith("/") or not base else f"{base.rstrip('/')}/{name}"


def _of_folder(system: Any, path: str, column: str) -> list[str]:
    """Return the media files below a folder, relative to it, or what tables there name."""
    system.invalidate_cache()
    found = sorted(system.find(path))
    inside = [PurePosixPath(item).relative_to(path) for item in found]
    media = [item for item in inside if item.suffix.lower() in SUFFIXES and not _is_hidden(item)]
    if media:
        return list(map(str, media))
    tables = [item for item, name in zip(found, inside) if name.suffix == TABLE and not _is_hidden(name)]
    if not tables:
        raise _Unreadable("there is no media file in this folder")
    return [name for table in tables for name in _of_parquet(system.cat_file(table), column)]


def _is_hidden(path: PurePosixPath) -> bool:
    return any(part.startswith((".", "_")) for part in path.parts)


def _of_parquet(data: bytes, column: str) -> Iterator[str]:
    pa = parquet.check()
    try:
        table = pa.parquet.ParquetFile(io.BytesIO(data))
        _check(column, table.schema_arrow.names)
        yield from _texts(table.read([column])[column].to_pylist(), column)
    except pa.ArrowInvalid as error:
        raise _Unreadable(f"this is no Parquet file ({error})") from None


def _of_csv(data: bytes, column: str) -> Iterator[str]:
    rows = csv.DictReader(io.StringIO(_decoded(data)))
    _check(column, rows.fieldnames or ())
    yield from _texts((row[column] for row in rows), column)


def _of_listing(data: bytes, column: str) -> Iterator[str]:
    yield from (line.strip() for line in _decoded(data).splitlines() if line.strip())


_READERS = {TABLE: _of_parquet, ".csv": _of_csv}


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _Unreadable("it is no text in UTF-8; a manifest is .parquet, .csv, a listing or a folder") from None


def _check(column: str, columns: Iterable[str]) -> None:
    there = list(columns)
    if column not in there:
        raise _Unreadable(
            f"it has no column {column!r} but {', '.join(there)}; name the one with the clips by --column"
        )


def _texts(cells: Iterable[Any], column: str) -> Iterator[str]:
    for row, cell in enumerate(cells):
        if not isinstance(cell, str) or not cell:
            raise _Unreadable(f"row {row} has {cell!r} in the column {column!r}, where a path or URL belongs")
        yield cell
