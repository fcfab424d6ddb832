"""Do the packages that may stand in for one another hold the same tensors?

python -m benchmarks.second_sources   fetches both sets, about 285 MB; ends with 1 when a tensor differs
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from tokenizers import Tokenizer

from benchmarks.measure import publish, table
from export import catalog
from export.catalog import Entry, Packages
from export.fetch import COMPLETE, WHEELS, fetch
from networks.formats import ctranslate2
from triptych.paths import CACHE
from triptych.serving.checksums import sha256

HEADER = ("entry", "packages", "file", "bytes", "sha256", "held against the first")
DIFFERS = "DIFFERS"

Row = tuple[str, str, str, int, str, str]


def held(entry: Entry, packages: Packages, folder: Path) -> list[Path]:
    """Return the files that these packages leave, in an empty folder; wheels are kept where exports keep them."""
    folder.mkdir()
    alone = replace(entry, wheel=packages.wheel, join=dict(packages.join), second=())
    (folder / WHEELS).symlink_to(CACHE / WHEELS, target_is_directory=True)
    return [path for path in sorted(fetch(alone, folder).iterdir()) if path.name != COMPLETE]


def rows(entry: Entry, folder: Path) -> Iterator[Row]:
    """Yield a row for each file of each set of packages."""
    first: dict[str, Path] = {}
    for number, packages in enumerate(entry.packages):
        names = ", ".join(wheel.package for wheel in packages.wheel)
        for path in held(entry, packages, folder / str(number)):
            model = first.setdefault(path.name, path)
            found = "" if model is path else against(model, path)
            yield entry.name, names, path.name, path.stat().st_size, sha256(path), found


def against(first: Path, other: Path) -> str:
    """Say in what a file is as the first of its name, and in what not."""
    if sha256(first) == sha256(other):
        return "the same bytes"
    return COMPARED.get(first.name, lambda *_: DIFFERS)(first, other)


def tensors(first: Path, other: Path) -> str:
    """Compare two containers of CTranslate2, tensor by tensor: type, shape and every bit."""
    one, two = (ctranslate2.read(path).variables for path in (first, other))
    same = {name for name in one if name in two and _identical(one[name], two[name])}
    besides = f"; has besides {', '.join(sorted(two.keys() - one.keys()))}" if two.keys() - one.keys() else ""
    return f"{len(same)} of {len(one)} tensors the same{'' if len(same) == len(one) else f': {DIFFERS}'}{besides}"


def vocabulary(first: Path, other: Path) -> str:
    """Compare two tokenizers by what each id is called."""
    one, two = (_names(path) for path in (first, other))
    called = [f"{one[number]} is {two[number]}" for number in one.keys() & two.keys() if one[number] != two[number]]
    lost = f", {len(one.keys() - two.keys())} lost: {DIFFERS}" if one.keys() - two.keys() else ""
    named = f" but {', '.join(sorted(called))}" if called else ""
    return f"{len(one)} tokens have the same names{named}{lost}; {len(two.keys() - one.keys())} are named besides"


COMPARED: dict[str, Callable[[Path, Path], str]] = {"model.bin": tensors, "tokenizer.json": vocabulary}


def _identical(one: np.ndarray, two: np.ndarray) -> bool:
    return one.dtype == two.dtype and one.shape == two.shape and one.tobytes() == two.tobytes()


def _names(path: Path) -> dict[int, str]:
    return {number: name for name, number in Tokenizer.from_file(str(path)).get_vocab().items()}


def main() -> int:
    """Fetch, compare, and write the page."""
    (CACHE / WHEELS).mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=CACHE) as folder:
        entries = [entry for entry in catalog.load().values() if entry.second]
        found = [row for entry in entries for row in rows(entry, Path(folder))]
    publish("second_sources", "python -m benchmarks.second_sources", table(HEADER, found))
    return int(any(DIFFERS in row[-1] for row in found))


if __name__ == "__main__":
    sys.exit(main())
