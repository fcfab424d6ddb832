"""The answers of a folder as they came, kept so that a run that was killed goes on.

Two files that only grow: the answers themselves, each a line of JSON and a member of its own in one gzip file (`zcat`
reads it), and the journal with a line a clip, which says where its answer lies. A line is written when its answer is on
the disk; what a killed run left behind the last whole line is cut off.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from triptych_client import files
from triptych_client.characters import to_json
from triptych_client.errors import InvalidClip, TriptychClientError
from triptych_client.results import Analysis

JOURNAL, ANSWERS = "journal.jsonl", "answers.jsonl.gz"

INCOMPLETE = "incomplete"

FAST = 1
"""gzip's level: ten times smaller, and hardly slower to write."""


@dataclass(frozen=True)
class Clip:
    """A clip and what was asked about it. A file that was exchanged, by size or time, is another clip.

    `bytes` and `modified_ns` are 0 for a file that cannot be looked at.
    """

    path: str
    bytes: int
    modified_ns: int
    asked: tuple[str, str]
    """Task and language; "": recognised."""

    @classmethod
    def of(cls, path: Path, task: str, language: str | None) -> Clip:
        """Return a file as a clip; its path is made absolute, so that a run may start anywhere."""
        try:
            status = path.stat()
            size, modified_ns = status.st_size, status.st_mtime_ns
        except OSError:
            size = modified_ns = 0
        absolute = os.fsencode(os.path.abspath(path)).decode(
            "utf-8", "surrogateescape"
        )  # as JSON has it, in any locale
        return cls(absolute, size, modified_ns, (task, language or ""))


@dataclass(frozen=True)
class Entry:
    """A line of the journal: `place` is offset and length of the answer in ANSWERS, None for a clip that failed.

    `name` is the file of --out that the answer is for, without its suffix. `kind` and `error` are those of a failure;
    INCOMPLETE: the answer is that of a film of which parts failed.
    """

    clip: Clip
    name: str
    place: tuple[int, int] | None = None
    kind: str = ""
    error: str = ""

    @property
    def lasting(self) -> bool:
        """Whether asking again would give the same: an answer, or a failure that is the file's own fault."""
        return self.place is not None or self.kind == InvalidClip.__name__


class Store:
    """The journal and the answers of a folder; one process at a time, see `lock`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.entries: dict[Clip, Entry] = {}
        for line in files.whole_lines(folder / JOURNAL):
            entry = _entry(line, folder / JOURNAL)
            self.entries[entry.clip] = entry

    def keep(self, clip: Clip, name: str, analysis: Analysis) -> Entry:
        """Keep an answer."""
        member = gzip.compress((analysis.to_json(indent=None) + "\n").encode("utf-8"), FAST, mtime=0)
        offset = files.append(self._folder / ANSWERS, member)
        kind = "" if analysis.footage is None or analysis.footage.complete else INCOMPLETE
        return self._note(Entry(clip, name, (offset, len(member)), kind))

    def keep_failure(self, clip: Clip, name: str, error: TriptychClientError) -> Entry:
        """Keep why a clip has no answer."""
        return self._note(Entry(clip, name, None, type(error).__name__, error.reason))

    def answer(self, entry: Entry) -> Analysis:
        """Return an answer that is kept; TriptychClientError when the file with the answers was changed."""
        path = self._folder / ANSWERS
        offset, length = entry.place or (0, 0)
        try:
            with path.open("rb") as file:
                file.seek(offset)
                return Analysis.from_dict(json.loads(gzip.decompress(file.read(length))))
        except (OSError, ValueError, EOFError, msgspec.ValidationError) as error:
            reason = f"the answer for {entry.clip.path} cannot be read ({error}); choose another --out folder"
            raise TriptychClientError(reason, str(path)) from error

    def latest(self) -> Iterator[Entry]:
        """Yield the last entry of each file, in order of path."""
        by_path = {entry.clip.path: entry for entry in self.entries.values()}
        yield from (by_path[path] for path in sorted(by_path))

    def _note(self, entry: Entry) -> Entry:
        files.append(self._folder / JOURNAL, (to_json(asdict(entry)) + "\n").encode("utf-8"))
        self.entries.pop(entry.clip, None)  # the last line of a path is its newest
        self.entries[entry.clip] = entry
        return entry


def _entry(line: str, path: Path) -> Entry:
    try:
        return msgspec.convert(json.loads(line), Entry)
    except (ValueError, msgspec.ValidationError) as error:
        raise TriptychClientError(f"this is no journal of answers ({error})", str(path)) from error
