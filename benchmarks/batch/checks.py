"""Whether the rows of a job are those that there should be: every clip once, and each answer its own clip's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SAME_S = 0.0011
"""Two lengths that differ by less are the same: they are written in milliseconds, and answered in float32."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Wanted:
    """The clips of a job by URL, and how long each is. `lost` will have no answer: no media file, or none at all."""

    lengths: Mapping[str, float]
    lost: Sequence[str]

    @property
    def manifest(self) -> str:
        """All of them as a listing."""
        return "\n".join([*self.lengths, *self.lost])


def flaws(wanted: Wanted, clips: Sequence[Row], windows: Sequence[Row], dead: Sequence[Row]) -> list[str]:
    """Return what is wrong with the rows of the three tables, in words."""
    found = [*_doubled_or_lost(clips, wanted), *_of_another(clips, wanted), *_windows(windows, clips)]
    if sorted(row["path"] for row in dead) != sorted(wanted.lost):
        found.append(f"dead letters are {[row['path'] for row in dead]}")
    return found


def _doubled_or_lost(clips: Sequence[Row], wanted: Wanted) -> Iterator[str]:
    counts = Counter(row["path"] for row in clips)
    for path in [*wanted.lengths, *wanted.lost]:
        if counts[path] != 1:
            yield f"{path} is there {counts[path]} times"
    for path in counts.keys() - wanted.lengths.keys() - set(wanted.lost):
        yield f"{path} was not asked for"


def _of_another(clips: Sequence[Row], wanted: Wanted) -> Iterator[str]:
    """Say of which clips the answer is another's, or none."""
    for row in clips:
        length_s = wanted.lengths.get(row["path"])
        said_s = row["duration_s"] or 0.0
        if length_s is not None and (row["error"] or abs(said_s - length_s) > SAME_S):
            yield f"{row['path']} is {length_s:.3f} s long, and the answer says {row['duration_s']} ({row['error']})"


def _windows(windows: Sequence[Row], clips: Sequence[Row]) -> Iterator[str]:
    """Say which windows are there twice, and which clips have none."""
    counts = Counter((row["path"], row["start_s"]) for row in windows)
    for (path, start_s), count in counts.items():
        if count > 1:
            yield f"the window of {path} at {start_s} s is there {count} times"
    have = {path for path, _ in counts}
    yield from (f"{row['path']} has no window" for row in clips if not row["error"] and row["path"] not in have)
