"""What `triptych models` shows: each slot, its models, where their weights can be had, and which of them is there."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape
from rich.table import Table

from export.catalog import Entry, choose, companions, load, slot_of
from export.reach import Reach, survey
from export.runner import exported
from export.stamp import Stamp
from triptych.paths import CACHE

COLUMNS = ("--set", "model", "licence", "MB", "weights from", "can be had", "exported")


def table(repository: Path, cache: Path = CACHE, timeout_s: float | None = None) -> Table:
    """Return a row for each model that has a role; chosen is what a plain `triptych export` would leave there.

    What comes along with a model (tokenizers, features) is named beside it. MB: of the weights, in 10^6 bytes, where
    they are known. `timeout_s`: for how long to wait for the package index and the hub; None to ask neither.
    """
    chosen = choose({}, exported(repository))
    entries = [
        entry
        for step in chosen
        for entry in load().values()
        if entry.step == step and entry.role and entry.name not in companions()
    ]
    stamps = {step: Stamp.read(repository / step / "1") for step in chosen}
    origins = {name: origin.source for stamp in stamps.values() for name, origin in stamp.origins.items()}
    reaches = survey(entries, origins, cache, timeout_s)
    shown = Table(*COLUMNS, box=None, header_style="bold", pad_edge=False)
    for entry in entries:
        row = _row(entry, stamps[entry.step], repository, reaches[entry.name])
        name = f"[bold green]{entry.name} (chosen)[/]" if chosen[entry.step] is entry else entry.name
        shown.add_row(slot_of(entry.step), f"{name}\n{escape(_what(entry))}", *map(escape, row))
    return shown


def _row(entry: Entry, stamp: Stamp, repository: Path, reach: Reach) -> tuple[str, ...]:
    """Return the cells behind the name."""
    size = "" if reach.size is None else f"{reach.size / 1e6:.1f}"
    return entry.licence, size, _source(entry, stamp), reach.where, _exported(entry, stamp, repository)


def _what(entry: Entry) -> str:
    return f"{entry.title}; brings {', '.join(entry.brings)}" if entry.brings else entry.title


def _exported(entry: Entry, stamp: Stamp, repository: Path) -> str:
    """Return the bytes of what is exported of an entry, and nothing when it is another, or files are gone."""
    files = [repository / entry.step / "1" / name for name in stamp.files]
    if stamp.entry != entry.name or not all(path.is_file() for path in files):
        return ""
    return f"{sum(path.stat().st_size for path in files) / 1e6:.1f} MB"


def _source(entry: Entry, stamp: Stamp) -> str:
    """Say where the weights come from, and what to name where they are not at hand."""
    if stamp.entry == entry.name and entry.name in stamp.origins:
        return stamp.origins[entry.name].source
    if entry.published:
        named = f"--source {slot_of(entry.step)}={'file:PATH' if entry.file else 'dir:PATH or hub:NAME'}"
        return f"hub:{entry.hub}, or {named}" if entry.hub else named
    if entry.weights is not None:
        return f"weights/{entry.weights.file.partition('/')[0]}"
    if entry.wheel:
        return "package index"
    return f"with {', '.join(entry.needs)}" if entry.needs else "none needed"
