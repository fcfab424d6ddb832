"""Where the project's folders are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODEL_REPOSITORY = ROOT / "model_repository"
BACKENDS = ROOT / "backends"
OWN_WEIGHTS = ROOT / "weights"
BUILD = ROOT / "build"
CACHE = BUILD / "cache"
"""Downloaded weights."""
