"""Clips that have all channels, as another source to fit the fusion on: through the served ensemble.

A folder holds media files and `labels.csv` with the columns `file` (below the folder), `emotion` (one of
contract.EMOTIONS) and `group` (whatever clips share that must not be on both sides of a split: a speaker, a film).
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from rich.progress import track
from sklearn.model_selection import GroupShuffleSplit

from training.fusion.evidence import CONDITIONS
from training.fusion.pairs import TEST_SHARE, LabelledClips
from triptych.errors import TriptychError
from triptych_client import Client
from triptych_client.contract import CHANNELS, EMOTIONS, EVIDENCE
from triptych_client.errors import TriptychClientError

TABLE = "labels.csv"
COLUMNS = ("file", "emotion", "group")


def read(folder: Path) -> list[dict[str, str]]:
    """Read the table. TriptychError: it, a column or a file is missing, a label is unknown, an emotion has no clip."""
    path = folder / TABLE
    if not path.is_file():
        raise TriptychError(f"there is no {TABLE} in {folder}: it needs the columns {', '.join(COLUMNS)}")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    missing = [column for column in COLUMNS if not rows or not rows[0].get(column)]
    if missing:
        raise TriptychError(f"{path} has no column {', '.join(missing)}: it needs {', '.join(COLUMNS)}")
    for number, row in enumerate(rows, 2):
        if row["emotion"] not in EMOTIONS:
            raise TriptychError(f"{path}, row {number}: {row['emotion']} is none of {', '.join(EMOTIONS)}")
        if not (folder / row["file"]).is_file():
            raise TriptychError(f"{path}, row {number}: there is no {folder / row['file']}")
    empty = set(EMOTIONS) - {row["emotion"] for row in rows}
    if empty:
        raise TriptychError(f"{path} has no clip of {', '.join(sorted(empty))}: each of the seven emotions needs some")
    return rows


def served_evidence(folder: Path, rows: list[dict[str, str]], client: Client) -> LabelledClips:
    """Return the clips as the ensemble sees them; a channel that a clip lacks is NaN. TriptychError: one is refused."""
    x = np.zeros((len(rows), *EVIDENCE.dims))
    for number, row in enumerate(track(rows, "clips")):
        path = folder / row["file"]
        try:
            x[number] = client.analyze(path, embeddings=True).embeddings[EVIDENCE.name]
        except TriptychClientError as error:
            raise TriptychError(f"{path}: {error}. Take it off {TABLE}, or mend it.") from error
    labels = np.array([EMOTIONS.index(row["emotion"]) for row in rows])
    groups = np.array([[row["group"]] * len(CHANNELS) for row in rows])
    return LabelledClips(dict.fromkeys(CONDITIONS, x), labels, groups)


def split(clips: LabelledClips, seed: int = 0) -> tuple[LabelledClips, LabelledClips]:
    """Return clips to fit on and to test on, with no group on both sides."""
    splitter = GroupShuffleSplit(1, test_size=TEST_SHARE, random_state=seed)
    ((fit, test),) = splitter.split(clips.labels, clips.labels, clips.groups[:, 0])
    return clips.choose(fit), clips.choose(test)
