"""What a step of our own code is told of the model behind it: `settings.json` in its version folder.

A tagger or a voice model decides on the features that it hears and on the length of its windows. `triptych export`
writes that down where each step looks: a step sees its own folder only.
"""

from __future__ import annotations

import json
from pathlib import Path

from triptych.errors import TriptychError

FILE = "settings.json"


def read_text(folder: Path, key: str) -> str:
    """Return a setting in words; TriptychError when nothing was exported into the folder, or not this."""
    value = _read(folder, key)
    if not isinstance(value, str):
        raise TriptychError(f"{key} in {folder / FILE} is not a text: run `triptych export --force`")
    return value


def read_int(folder: Path, key: str) -> int:
    """Return a whole number; TriptychError when nothing was exported into the folder, or not this."""
    value = _read(folder, key)
    if not isinstance(value, int):
        raise TriptychError(f"{key} in {folder / FILE} is not a whole number: run `triptych export --force`")
    return value


def _read(folder: Path, key: str) -> object:
    try:
        return json.loads((folder / FILE).read_text(encoding="utf-8"))[key]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TriptychError(f"{folder / FILE} does not say {key}: run `triptych export`") from error
