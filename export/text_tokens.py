"""The words channel's tokenizer, as one file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from export import e5


def export(sources: Mapping[str, Path], target: Path) -> None:
    """Write tokenizer.json."""
    e5.load_tokenizer(sources["multilingual-e5-small"]).save(str(target / "tokenizer.json"), pretty=False)
