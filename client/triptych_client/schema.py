"""The JSON Schema (draft 2020-12) of the answer, for whoever checks or generates code from it."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any


def load() -> dict[str, Any]:
    """Return the schema of what `Analysis.to_json` writes; any validator of draft 2020-12 takes it."""
    return json.loads(files("triptych_client").joinpath("schema.json").read_text(encoding="utf-8"))
