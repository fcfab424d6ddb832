"""A Python that finds some packages nowhere, as on a machine where they are not installed."""

from __future__ import annotations

import os
from pathlib import Path

SITE = """
import sys


class Without:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in {names} else self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)


sys.meta_path[:] = map(Without, sys.meta_path)
"""


def python_without(folder: Path, *packages: str) -> dict[str, str]:
    """Return environment variables under which Python, and each of its children, cannot import these packages."""
    site = folder / "without"
    site.mkdir(exist_ok=True)
    (site / "sitecustomize.py").write_text(SITE.format(names=set(packages)), encoding="utf-8")
    return {"PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)}
