"""Copies of clips that show their answers, as `--annotate` asks for: where each goes, and which are there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from triptych_client import clips, files
from triptych_client.errors import InvalidClip, TriptychClientError
from triptych_client.extras import needed_for
from triptych_client.results import Analysis

SUFFIX = ".mp4"


@dataclass(frozen=True)
class Copies:
    """`targets` has the copy of each clip, by the clip's absolute path; with none there is nothing to do."""

    targets: Mapping[Path, Path] = field(default_factory=dict)
    lang: str = "en"
    redact: bool = False

    @classmethod
    def of(cls, found: list[clips.Found], out: str, lang: str, *, redact: bool) -> Copies:
        """Return the copies of clips: one file for one clip, else a folder.

        ValueError when several clips have one file, or a copy would take its clip's place. TriptychClientError when
        what it takes is not installed.
        """
        with needed_for("--annotate", "report"):
            from triptych_client.picture import annotate  # noqa: F401
        if clips.is_folder(out):
            targets = clips.targets(found, Path(out), SUFFIX)
        elif len(found) == 1:
            targets = [Path(out)]
        else:
            raise ValueError(f"copies of {len(found)} clips need a folder, like annotated/")
        by_clip = {item.path.absolute(): target for item, target in zip(found, targets, strict=True)}
        for clip, target in by_clip.items():
            if target.resolve() == clip.resolve():
                raise ValueError(f"{target} is the clip itself; choose another name or folder")
        return cls(by_clip, lang, redact)

    def lack(self, clip: str) -> bool:
        """Tell whether a clip's copy was asked for and is not there."""
        target = self.targets.get(Path(clip).absolute())
        return target is not None and not target.exists()

    def write(self, analysis: Analysis) -> None:
        """Write the copy of an answer's clip, if one was asked for: whole or not at all.

        InvalidClip when there is nothing to draw on, or the clip cannot be read.
        """
        target = self.targets.get(Path(analysis.clip.path or "").absolute())
        if target is None:
            return
        from triptych_client.picture.annotate import annotated

        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with files.placed(target) as partial:
                annotated(analysis, partial, self.lang, redact=self.redact)
        except OSError as error:
            raise TriptychClientError(f"cannot be written: {error.strerror or error}", str(target)) from error


def written(analysis: Analysis, copies: Copies) -> InvalidClip | None:
    """Write a copy; return why it could not be written, which is the failure of that clip and of no other."""
    try:
        copies.write(analysis)
    except InvalidClip as error:
        return error
    return None
