"""Where the weights of an entry can be had from this machine: they are here already, or an index or a hub has them.

Nothing is downloaded: pip is asked for the versions that the index has, the hub for the list of a model's files.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from export import checkpoint, fetch
from export.catalog import Entry, Packages, Wheel, load
from triptych.paths import OWN_WEIGHTS

HERE, INDEX, HUB = "here", "package index", "hub"
NOT_ASKED, NOT_REACHED, MISSING, UNNAMED, NOTHING = (
    "not asked",
    "not reachable",
    "missing",
    "to be named",
    "none needed",
)
AT_ONCE = 8
"""Questions that are asked at the same time."""
PIP_STARTS_S = 10.0
"""Given to pip beside the time that it may wait for an answer."""


@dataclass(frozen=True)
class Reach:
    """Where weights can be had, one of the constants above, and their bytes where that is known."""

    where: str
    size: int | None = None


def survey(
    entries: Iterable[Entry], sources: Mapping[str, str], cache: Path, timeout_s: float | None
) -> dict[str, Reach]:
    """Return where the weights of each entry can be had, those of the entries that it needs included.

    `sources`: entry -> the checkpoint that it was exported from; `timeout_s`: for how long to wait for an answer of the
    index or the hub, None to ask nobody.
    """
    chosen = list(entries)
    read = {entry.name: _read_by(entry) for entry in chosen}
    asked = list({item.name: item for items in read.values() for item in items}.values())
    with ThreadPoolExecutor(AT_ONCE) as threads:
        found = threads.map(lambda item: _reach(item, sources.get(item.name, ""), cache, timeout_s), asked)
        reaches = {item.name: reach for item, reach in zip(asked, found)}
    return {entry.name: _together([reaches[item.name] for item in read[entry.name]]) for entry in chosen}


def _read_by(entry: Entry) -> list[Entry]:
    """Return the entries whose weights an entry is made of; what comes along with another model has none of its own."""
    return [item for item in (entry, *(load()[name] for name in entry.needs)) if item.has_files]


def _together(reaches: list[Reach]) -> Reach:
    """Return the worst of what is needed, and the bytes of all where all are known."""
    if not reaches:
        return Reach(NOTHING)
    worst_first = (MISSING, UNNAMED, NOT_REACHED, NOT_ASKED, HUB, INDEX, HERE)
    where = min((reach.where for reach in reaches), key=worst_first.index)
    sizes = [reach.size for reach in reaches if reach.size is not None]
    return Reach(where, sum(sizes) if len(sizes) == len(reaches) else None)


def _reach(entry: Entry, source: str, cache: Path, timeout_s: float | None) -> Reach:
    if entry.weights is not None:
        path = (entry.catalog.parent if entry.own else OWN_WEIGHTS) / entry.weights.file
        return Reach(HERE, path.stat().st_size) if path.is_file() else Reach(MISSING)
    told = round(entry.megabytes * 1e6) or None
    if entry.published:
        return _of_checkpoint(source or (f"hub:{entry.hub}" if entry.hub else ""), told, timeout_s)
    wheels = cache / fetch.WHEELS
    if fetch.is_complete(entry, cache) or any(fetch.lies_in(packages, wheels) for packages in entry.packages):
        return Reach(HERE, told)
    if timeout_s is None:
        return Reach(NOT_ASKED, told)
    return Reach(INDEX if any(_index_has(packages, timeout_s) for packages in entry.packages) else NOT_REACHED, told)


def _of_checkpoint(source: str, told: int | None, timeout_s: float | None) -> Reach:
    kind, _, name = source.partition(":")
    if not source:
        return Reach(UNNAMED)
    if kind != "hub":
        path = Path(name)
        return Reach(HERE, checkpoint.size(path)) if path.exists() else Reach(MISSING, told)
    cached = checkpoint.cached(name)
    if cached is not None:
        return Reach(HERE, checkpoint.size(cached))
    if timeout_s is None:
        return Reach(NOT_ASKED, told)
    size = checkpoint.size_on_hub(name, timeout_s)
    return Reach(NOT_REACHED, told) if size is None else Reach(HUB, size)


def _index_has(packages: Packages, timeout_s: float) -> bool:
    return all(_lists(wheel, timeout_s) for wheel in packages.wheel)


def _lists(wheel: Wheel, timeout_s: float) -> bool:
    """Tell whether the index that pip is set to has the wheel's version for this Python."""
    name, _, version = wheel.package.partition("==")
    patience = ["--timeout", str(timeout_s), "--retries", "0", "--disable-pip-version-check", "--no-input"]
    command = [sys.executable, "-m", "pip", "index", "versions", name, "--only-binary=:all:", *patience]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout_s + PIP_STARTS_S)
    except (OSError, subprocess.TimeoutExpired):
        return False
    listed = done.stdout.partition("Available versions:")[2].partition("\n")[0]
    return done.returncode == 0 and version in (one.strip() for one in listed.split(","))
