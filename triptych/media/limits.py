"""The limits of one request, in one place; each can be set by an environment variable of the server."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import Any

from triptych.errors import TriptychError


@dataclass(frozen=True)
class Limits:
    """What one clip may be. Every field is set by TRIPTYCH_MAX_<FIELD>."""

    seconds: float = 60.0
    mebibytes: float = 64.0
    side_px: int = 4096
    frames: int = 128
    faces: int = 256

    @classmethod
    def from_environment(cls) -> Limits:
        """Read TRIPTYCH_MAX_SECONDS and so on; TriptychError for a value that is not a positive number."""
        return cls(**{name: _positive(name, default) for name, default in asdict(cls()).items()})


def variable(field: str) -> str:
    """Return the name of the environment variable that sets a limit."""
    return f"TRIPTYCH_MAX_{field.upper()}"


def _positive(field: str, default: Any) -> Any:
    text = os.environ.get(variable(field), "")
    if not text:
        return default
    try:
        value = type(default)(text)
    except ValueError:
        value = -1
    if not 0 < value < float("inf"):
        raise TriptychError(f"{variable(field)}={text} is not a positive {type(default).__name__}")
    return value
