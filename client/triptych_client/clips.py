"""Which files a command line means, and where their answers go."""

from __future__ import annotations

import os
import stat
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = frozenset(
    {
        *(".mp4", ".m4v", ".mov", ".qt", ".mkv", ".webm", ".avi", ".divx", ".mpg", ".mpeg", ".mpe", ".m1v", ".m2v"),
        *(".ts", ".mts", ".m2ts", ".m2t", ".vob", ".3gp", ".3gpp", ".3g2", ".3gp2", ".flv", ".f4v", ".wmv", ".asf"),
        *(".ogv", ".ogm", ".ogx", ".mxf", ".dv", ".rm", ".rmvb", ".mjpeg", ".mjpg", ".gif", ".apng", ".y4m", ".ivf"),
        *(".nut", ".wtv", ".amv", ".h264", ".264", ".h265", ".265", ".hevc", ".lrv", ".insv"),
        *(".wav", ".w64", ".flac", ".mp3", ".mp2", ".mpga", ".m4a", ".m4b", ".aac", ".ogg", ".oga", ".opus", ".spx"),
        *(".weba", ".wma", ".aif", ".aiff", ".aifc", ".au", ".caf", ".amr", ".mka", ".ac3", ".eac3", ".dts", ".wv"),
        *(".ape", ".tta", ".ra"),
    }
)
"""Files of a folder that are taken for media, in lower case; a file that is named itself is always taken."""

SYSTEM_FOLDERS = frozenset({"__MACOSX", "$RECYCLE.BIN", "System Volume Information", "lost+found", "@eaDir"})
"""What operating systems put beside people's files: copies, thumbnails and resource forks that only look like clips."""

HIDDEN, OTHER, NO_FILE, LINKED, CLOSED = SKIPPED = (
    "hidden",
    "not media",
    "no regular file",
    "linked folder seen before",
    "folder that cannot be opened",
)
"""Why something in a folder is skipped. Hidden: names that begin with a dot, resource forks (`._IMG_1.MPG`) among them,
and SYSTEM_FOLDERS; no regular file: pipes, sockets, devices and links to nothing."""

TRANSPORT_STREAM = b"\x47"
"""What a packet of an MPEG transport stream begins with; files of TypeScript are called `.ts` as well."""


@dataclass(frozen=True)
class Found:
    """A file to analyse. `relative` is its path below the folder it was found in, or its name."""

    path: Path
    relative: Path


@dataclass(frozen=True)
class Search:
    """What paths came to: the files to analyse, and how much was skipped in folders, by reason (SKIPPED)."""

    found: list[Found]
    skipped: Mapping[str, int]

    def summary(self) -> str:
        """Return what was skipped in one line; "" for nothing."""
        parts = ", ".join(f"{self.skipped[reason]} {reason}" for reason in SKIPPED if self.skipped.get(reason))
        return f"skipped: {parts}" if parts else ""


def find(paths: Iterable[Path]) -> Search:
    """Return the files among paths, and the media files in folders among them, at any depth, in order of name.

    Links are followed, each folder being searched once. What is named itself is taken whatever it is, and stays when it
    does not exist: its failure is its alone.
    """
    found: dict[Path, Found] = {}
    skipped: Counter[str] = Counter()
    for path in paths:
        items = _inside(path, skipped) if path.is_dir() else [Found(path, Path(path.name))]
        for item in items:
            found.setdefault(item.path, item)
    return Search(list(found.values()), skipped)


def is_folder(out: str) -> bool:
    """Tell whether an output path means a folder: it is one, or ends with a slash."""
    return out.endswith(os.sep) or Path(out).is_dir()


def targets(found: Iterable[Found], folder: Path, suffix: str) -> list[Path]:
    """Return the file in `folder` for the answer of each clip; ValueError when two clips have the same.

    Clips that differ in their suffix alone (IMG_1.MOV, IMG_1.MP4) keep it in the names of their answers.
    """
    found = list(found)
    short = [item.relative.with_suffix(suffix) for item in found]
    shared = {path for path, count in Counter(short).items() if count > 1}
    paths = [
        folder / (item.relative.with_name(item.relative.name + suffix) if path in shared else path)
        for item, path in zip(found, short, strict=True)
    ]
    path, count = Counter(paths).most_common(1)[0]
    if count > 1:
        raise ValueError(f"{count} clips would be written to {path}; analyse them with different --out folders")
    return paths


def _inside(folder: Path, skipped: Counter[str]) -> list[Found]:
    """Return the media files below a folder, and count the rest. Folders come before the links to them."""
    seen: set[tuple[int, int]] = set()
    folders, links, files = deque([folder]), deque[Path](), list[Path]()
    while folders or links:
        here = folders.popleft() if folders else links.popleft()
        try:
            status, names = here.stat(), sorted(os.listdir(here))
        except OSError:
            skipped[CLOSED] += 1
            continue
        if (status.st_dev, status.st_ino) in seen:
            skipped[LINKED] += 1
            continue
        seen.add((status.st_dev, status.st_ino))
        for path in (here / name for name in names):
            reason, is_folder = _look(path)
            if reason:
                skipped[reason] += 1
            elif is_folder:
                (links if path.is_symlink() else folders).append(path)
            else:
                files.append(path)
    return [Found(path, path.relative_to(folder)) for path in sorted(files)]


def _look(path: Path) -> tuple[str, bool]:
    """Return why something in a folder is skipped, "" for a folder or a media file, and whether it is a folder."""
    if path.name.startswith(".") or path.name in SYSTEM_FOLDERS:
        return HIDDEN, False
    mode = _mode(path)
    if stat.S_ISDIR(mode):
        return "", True
    if path.suffix.lower() not in SUFFIXES:
        return OTHER, False
    if not stat.S_ISREG(mode):
        return NO_FILE, False
    return (OTHER if _is_script(path) else ""), False


def _mode(path: Path) -> int:
    """Return the kind of what is there, or of what a link leads to; 0 for nothing, and for links in a circle."""
    try:
        return path.stat().st_mode
    except OSError:
        return 0


def _is_script(path: Path) -> bool:
    """Tell whether a file called `.ts` holds anything but a transport stream; one that cannot be read says so later."""
    if path.suffix.lower() != ".ts":
        return False
    try:
        with path.open("rb") as file:
            start = file.read(5)
    except OSError:
        return False
    return len(start) > 0 and TRANSPORT_STREAM not in (start[:1], start[4:])  # `.m2ts` has four bytes before each
