"""What `triptych export --list` shows: every step that can be chosen, its models, and which of them is there."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from export.catalog import Entry, choose, companions, load, slot_of
from export.runner import exported
from export.stamp import Stamp


def table(repository: Path) -> Table:
    """Return a row for each model that has a role; chosen is what a plain `triptych export` would leave there.

    What comes along with a model (tokenizers, features) is named beside it.
    """
    chosen = choose({}, exported(repository))
    shown = Table("--set", "model", "what", "licence", "weights from", box=None, header_style="bold", pad_edge=False)
    for step in chosen:
        for entry in load().values():
            if entry.step == step and entry.role and entry.name not in companions():
                here = chosen[step] is entry
                source = _source(entry, Stamp.read(repository / step / "1")) if here else _source(entry, Stamp())
                name = f"[bold green]{entry.name} (chosen)[/]" if here else entry.name
                shown.add_row(slot_of(step), name, _what(entry), entry.licence, source)
    return shown


def _what(entry: Entry) -> str:
    return f"{entry.title}; brings {', '.join(entry.brings)}" if entry.brings else entry.title


def _source(entry: Entry, stamp: Stamp) -> str:
    """Say where the weights come from, and what to name where they are not at hand."""
    if entry.name in stamp.origins:
        return stamp.origins[entry.name].source
    if entry.published:
        named = f"--source {slot_of(entry.step)}={'file:PATH' if entry.file else 'dir:PATH or hub:NAME'}"
        return f"hub:{entry.hub}, or {named}" if entry.hub else named
    if entry.weights is not None:
        return f"weights/{entry.weights.file.partition('/')[0]}"
    if entry.wheel:
        return "package index"
    return f"with {', '.join(entry.needs)}" if entry.needs else "none needed"
