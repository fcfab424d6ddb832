"""The sha256 of every file of a model repository, as a list that is kept elsewhere than the repository.

`python -m triptych.serving.checksums write REPOSITORY > models.sha256` makes it, `check REPOSITORY LIST` compares:
nothing may be missing, changed, or there beside what is listed, since Triton runs the code that lies in a repository.
Built on the standard library alone. The lines are those of sha256sum(1); a link stands for where it points to.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

BLOCK_BYTES = 1 << 20
USAGE = "usage: python -m triptych.serving.checksums write REPOSITORY | check REPOSITORY LIST"


def listed(repository: Path) -> dict[str, str]:
    """Return the sha256 of every file by its path in `repository`; of a link, that of the path that it points to."""
    return {path.relative_to(repository).as_posix(): _digest(path) for path in _files(repository)}


def faults(repository: Path, expected: dict[str, str]) -> list[str]:
    """Name each file that is missing, differs, or is not listed."""
    found = listed(repository)
    return [
        *(f"{path} is missing" for path in sorted(expected.keys() - found.keys())),
        *(f"{path} is not listed" for path in sorted(found.keys() - expected.keys())),
        *(f"{path} differs" for path in sorted(expected.keys() & found.keys()) if expected[path] != found[path]),
    ]


def sha256(path: Path) -> str:
    """Return the hexadecimal sha256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def lines(digests: dict[str, str]) -> str:
    """Return the list as text."""
    return "".join(f"{digest}  {path}\n" for path, digest in sorted(digests.items()))


def read(text: str) -> dict[str, str]:
    """Return the list that a text holds; ValueError for a line of another form. `#` begins a comment."""
    pairs = [line.split("  ", 1) for line in text.splitlines() if line and not line.startswith("#")]
    wrong = [pair[0] for pair in pairs if len(pair) != 2 or len(pair[0]) != 64]
    if wrong:
        raise ValueError(f"a line is `sha256  path`, as sha256sum(1) writes it, not {wrong[0]!r}")
    return {path: digest for digest, path in pairs}


def main(arguments: list[str]) -> int:
    """Write or check a list; return the exit status."""
    if len(arguments) == 2 and arguments[0] == "write":
        sys.stdout.write(lines(listed(Path(arguments[1]))))
        return 0
    if len(arguments) != 3 or arguments[0] != "check":
        print(USAGE, file=sys.stderr)
        return 2
    repository, source = Path(arguments[1]), Path(arguments[2])
    try:
        found = faults(repository, read(source.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        found = [f"{source} cannot be read: {error}"]
    for fault in found:
        print(fault, file=sys.stderr)
    if found:
        print(f"{repository} is not what {source} lists: export it anew, or write the list anew", file=sys.stderr)
    return 1 if found else 0


def _files(folder: Path) -> Iterator[Path]:
    """Yield all files below a folder, and the links, which are not followed."""
    for parent, folders, names in os.walk(folder):
        yield from (Path(parent, name) for name in names)
        yield from (path for name in folders if (path := Path(parent, name)).is_symlink())


def _digest(path: Path) -> str:
    if path.is_symlink():
        return hashlib.sha256(os.fsencode(os.readlink(path))).hexdigest()
    return sha256(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
