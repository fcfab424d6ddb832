"""What the served ensemble says of a folder of labelled clips; as a file that another export is compared with."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from training.fusion.pairs import LabelledClips
from triptych.errors import TriptychError
from triptych.files import write_text
from triptych_client import Analysis, Client
from triptych_client.contract import CHANNELS, EMOTIONS, EVIDENCE
from triptych_client.errors import TriptychClientError, Unavailable

Array = np.ndarray
FORMAT = "triptych-evaluation/1"
FILE = "evaluation.json"
ATTEMPTS, MENDING_S = 6, 5.0
"""A clip is asked so often, so long after each other, while the server is not ready."""


@dataclass(frozen=True)
class Answered:
    """n clips: `labels` [n], indices into EMOTIONS, and `probabilities` [n, 7] of the answer.

    `evidence` [n, 4, 14] is what fusion saw of each channel (NaN: the channel is not there), `models` name who answered
    by role. `groups` are of the table: who is seen, which film.
    """

    files: tuple[str, ...]
    groups: tuple[str, ...]
    labels: Array
    probabilities: Array
    abstained: Array
    evidence: Array
    models: Mapping[str, str]

    @classmethod
    def ask(cls, folder: Path, rows: Sequence[Mapping[str, str]], client: Client) -> Answered:
        """Ask the ensemble about the clips of a table. TriptychError: one is refused."""
        answers = [_analysis(folder / row["file"], client) for row in track(rows, "clips")]
        return cls(
            tuple(row["file"] for row in rows),
            tuple(row["group"] for row in rows),
            np.array([EMOTIONS.index(row["emotion"]) for row in rows]),
            np.array([[one.emotion.probabilities[name] for name in EMOTIONS] for one in answers]),
            np.array([one.emotion.abstained for one in answers]),
            np.stack([one.embeddings[EVIDENCE.name] for one in answers]).astype(np.float64),
            {role: model.name for role, model in answers[0].models.items()},
        )

    @property
    def clips(self) -> LabelledClips:
        """The clips as fusion is fitted on and measured with."""
        groups = np.array([[group] * len(CHANNELS) for group in self.groups])
        return LabelledClips({"clean": self.evidence, "noise": self.evidence}, self.labels, groups)

    @property
    def right(self) -> Array:
        """Whether the likeliest emotion is the label, [n]."""
        return self.probabilities.argmax(1) == self.labels

    @property
    def certainty(self) -> Array:
        """The probability of the likeliest emotion, [n]."""
        return self.probabilities.max(1)

    @classmethod
    def read(cls, path: Path) -> Answered:
        """Read what `write` wrote; TriptychError when it is another thing."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["format"] != FORMAT:
                raise ValueError(f"its format is {content['format']}, not {FORMAT}")
            clips = content["clips"]
            return cls(
                tuple(clip["file"] for clip in clips),
                tuple(clip["group"] for clip in clips),
                np.array([EMOTIONS.index(clip["emotion"]) for clip in clips]),
                np.array([clip["probabilities"] for clip in clips], np.float64),
                np.array([clip["abstained"] for clip in clips]),
                np.array([clip["evidence"] for clip in clips], np.float64),
                content["models"],
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TriptychError(f"{path} is no evaluation: {error!r}. `triptych evaluate` writes one.") from error

    def write(self, path: Path, **scores: Any) -> None:
        """Write the answers, and `scores` before them; missing evidence becomes null."""
        clips = [
            {
                "file": file,
                "group": group,
                "emotion": EMOTIONS[label],
                "abstained": bool(abstained),
                "probabilities": np.round(probabilities, 6).tolist(),
                "evidence": [[None if np.isnan(x) else round(x, 6) for x in row] for row in evidence.tolist()],
            }
            for file, group, label, abstained, probabilities, evidence in zip(
                self.files, self.groups, self.labels, self.abstained, self.probabilities, self.evidence, strict=True
            )
        ]
        content = {"format": FORMAT, "models": dict(self.models), **scores, "clips": clips}
        write_text(path, json.dumps(content, indent=1) + "\n")


def _analysis(path: Path, client: Client) -> Analysis:
    """Ask about a clip; again while the server mends itself: an hour of clips does not end for that."""
    for attempt in range(ATTEMPTS):
        try:
            return client.analyze(path, embeddings=True)
        except Unavailable as error:
            if attempt + 1 == ATTEMPTS:
                raise TriptychError(f"{path}: {error}, {ATTEMPTS} times") from error
            time.sleep(MENDING_S)
        except TriptychClientError as error:
            raise TriptychError(f"{path}: {error}. Take it off the table, or mend it.") from error
    raise AssertionError("the last attempt returns or raises")
