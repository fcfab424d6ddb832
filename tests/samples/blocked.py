"""A Python that finds some packages nowhere, as on a machine where they are not installed."""

from __future__ import annotations

import os
from pathlib import Path

CODE = """
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
    (site / "sitecustomize.py").write_text(CODE.format(names=set(packages)), encoding="utf-8")
    return {"PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)}


def hide_from(site_packages: Path, *packages: str) -> None:
    """Keep these packages from whatever Python starts from a folder of installed packages, Triton's stubs included."""
    (site_packages / "without_packages.py").write_text(CODE.format(names=set(packages)), encoding="utf-8")
    (site_packages / "without_packages.pth").write_text("import without_packages\n", encoding="utf-8")
