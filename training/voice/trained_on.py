"""Whose voices a model was trained on: a file beside its weights, so that it is not measured on those whom it knows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.data.speech import SpeechWindows
from triptych.errors import TriptychError
from triptych.files import write_text
from triptych.serving.checksums import sha256

FILE = "trained_on.json"
FORMAT = "triptych-trained-on/1"


@dataclass(frozen=True)
class TrainedOn:
    """What a voice model was trained on.

    `network` names the recipe's network, `speakers` are those of each corpus, as its labels call them; `folds` and
    `seed` are of the split over the speakers by which the recipe is measured.
    """

    network: str
    speakers: Mapping[str, tuple[str, ...]]
    folds: int
    seed: int

    @classmethod
    def of(cls, network: str, speech: SpeechWindows, folds: int, seed: int) -> TrainedOn:
        """Return what a model was trained on that learnt from every clip of `speech`."""
        speakers = {
            str(corpus): tuple(_of_corpus(corpus, speech.speakers[speech.corpora == corpus]))
            for corpus in np.unique(speech.corpora)
        }
        return cls(network, speakers, folds, seed)

    @classmethod
    def read(cls, folder: Path) -> TrainedOn | None:
        """Return what `folder` says of the weights in it; None when it says nothing.

        TriptychError when the file is damaged, or of other weights than those that are there.
        """
        path = folder / FILE
        if not path.is_file():
            return None
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["format"] != FORMAT:
                raise ValueError(f"its format is {content['format']}, not {FORMAT}")
            speakers = {corpus: tuple(names) for corpus, names in content["speakers"].items()}
            found = cls(content["network"], speakers, content["folds"], content["seed"])
            weights, digest = folder / content["weights"]["file"], content["weights"]["sha256"]
        except (OSError, KeyError, TypeError, AttributeError, ValueError) as error:
            raise TriptychError(f"{path} cannot be read: {error!r}. Restore it, or train anew.") from error
        if not weights.is_file() or sha256(weights) != digest:
            raise TriptychError(f"{path} is not of {weights}, whose sha256 is another: restore both, or train anew")
        return found

    def write(self, weights: Path) -> None:
        """Write the file beside a file of weights."""
        content = {
            "format": FORMAT,
            "network": self.network,
            "weights": {"file": weights.name, "sha256": sha256(weights)},
            "folds": self.folds,
            "seed": self.seed,
            "speakers": {corpus: list(names) for corpus, names in self.speakers.items()},
        }
        write_text(weights.parent / FILE, json.dumps(content, indent=1) + "\n")

    def knows(self, speaker: str) -> bool:
        """Return whether the model was trained on a speaker, as `training.data.speech` calls them."""
        corpus, _, name = speaker.partition(" ")
        return name in self.speakers.get(corpus, ())

    def known(self, speakers: Iterable[str]) -> set[str]:
        """Return those of the speakers that the model was trained on."""
        return {speaker for speaker in speakers if self.knows(speaker)}


def held_out_by(trained_on: Sequence[TrainedOn], speakers: Iterable[str]) -> dict[str, int]:
    """Return for each speaker a fold whose model was not trained on them; TriptychError when all were."""
    chosen: dict[str, int] = {}
    for speaker in sorted(set(speakers)):
        free = [number for number, fold in enumerate(trained_on) if not fold.knows(speaker)]
        if not free:
            raise TriptychError(f"every fold of the run was trained on {speaker}: it is not of these recordings")
        chosen[speaker] = free[0]
    return chosen


def _of_corpus(corpus: str, speakers: Iterable[str]) -> list[str]:
    return sorted({str(speaker).removeprefix(f"{corpus} ") for speaker in speakers})
