"""Another model for a step, exported beside a repository that is being served, and put into it once it has passed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from export import manifest, runner
from export.placing import place, saying_when_full
from export.runner import Report
from export.stamp import Stamp
from triptych import generations
from triptych.files import link_or_copy


@dataclass(frozen=True)
class Beside:
    """A whole repository with the other models in it, and the steps in which it differs from the one that is served.

    The step that reads the manifest is the last of them.
    """

    repository: Path
    steps: tuple[str, ...]


@contextmanager
def exported_beside(
    repository: Path, cache: Path, choices: Mapping[str, str], sources: Mapping[str, str], report: Report
) -> Iterator[Beside]:
    """Export `choices` into a copy beside the repository, which is gone at the end of the block. Errors as of export.

    What is large has a second name there in place of a copy: exporting writes new files and never into old ones.
    """
    with TemporaryDirectory(prefix=f".{repository.name}-", dir=repository.parent) as folder:
        copy = Path(folder, repository.name)
        shutil.copytree(repository, copy, symlinks=True, copy_function=link_or_copy, ignore=_left_over)
        runner.export(copy, cache, choices, report, sources=sources)
        beside = Beside(copy, changed(repository, copy))
        for step in beside.steps:
            os.utime(copy / step / "1")  # Triton does not load anew what is as it was
        yield beside


def changed(one: Path, other: Path) -> tuple[str, ...]:
    """Return the steps in which two repositories differ: in what is exported, or in the manifest."""
    steps = sorted(path.parent.name for path in one.glob("*/1"))
    differ = [step for step in steps if Stamp.read(one / step / "1") != Stamp.read(other / step / "1")]
    told = [generations.current(repository / manifest.STEP / "1").name for repository in (one, other)]
    return (*differ, *([manifest.STEP] if told[0] != told[1] else []))


def put_in_place(
    beside: Beside, repository: Path, cache: Path, choices: Mapping[str, str], sources: Mapping[str, str]
) -> None:
    """Move the exported files into the repository, so that the next start serves them too."""
    _move(repository, beside)
    runner.export(repository, cache, choices, lambda name, doing: None, sources=sources)  # all is there: the manifest


@manifest.one_at_a_time
def _move(repository: Path, beside: Beside) -> None:
    versions = [Path(step, "1") for step in beside.steps if step != manifest.STEP]
    with saying_when_full(repository):
        place({beside.repository / version: repository / version for version in versions})


def _left_over(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name == "__pycache__" or name.startswith(generations.PARTIAL)}
