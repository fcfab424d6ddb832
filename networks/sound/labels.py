"""The names of a tagger's classes, in the order of its outputs, and the file that serves them."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

from triptych.errors import TriptychError

LABELS = "labels.txt"
"""One name a line."""
CLASS_MAP = "yamnet_class_map.csv"


def as_lines(names: Sequence[str]) -> str:
    """Return the content of labels.txt."""
    return "".join(f"{name}\n" for name in names)


def of_yamnet(folder: Path) -> list[str]:
    """Return the English display names of YAMNet's 521 AudioSet classes."""
    with (folder / CLASS_MAP).open(newline="", encoding="utf-8") as file:
        return [row["display_name"] for row in csv.DictReader(file)]


def of_checkpoint(folder: Path) -> list[str]:
    """Return the names of a checkpoint's classes; TriptychError when it has none."""
    path = folder / "config.json"
    try:
        names: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))["id2label"]
        ordered = [names[str(index)] for index in range(len(names))]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TriptychError(f"{path} does not name the classes of the checkpoint (id2label): {error!r}") from error
    if any(name.startswith("LABEL_") for name in ordered):
        raise TriptychError(f"{path} does not name the classes of the checkpoint: its id2label has only LABEL_0 ...")
    return ordered
