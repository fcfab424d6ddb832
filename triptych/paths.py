"""Where the project's folders are: what is only read, and what is written.

In a checkout both lie in the checkout. A wheel carries what is read as data of this package, and writes into the
folder TRIPTYCH_HOME, by default the user's data folder. The variable holds for a checkout too.
"""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The folder of our packages: the checkout, or where a wheel is installed."""
_PACKAGED = Path(__file__).resolve().with_name("data")
SOURCES = _PACKAGED if _PACKAGED.is_dir() else ROOT
"""Holds the model repository without exports, the backends and our own weights; only read."""
BACKENDS = SOURCES / "backends"
OWN_WEIGHTS = SOURCES / "weights"


def _home() -> Path:
    chosen = os.environ.get("TRIPTYCH_HOME")
    if chosen:
        return Path(chosen).expanduser().resolve()
    if SOURCES is ROOT:
        return ROOT
    from platformdirs import user_data_path  # a checkout needs no package to say what it lacks: `make doctor`

    return user_data_path("triptych")


HOME = _home()
"""The folder that everything is written into."""
MODEL_REPOSITORY = HOME / "model_repository"
"""The repository that is exported into and served."""
BUILD = HOME / "build"
CACHE = BUILD / "cache"
"""Downloaded weights."""
