"""The fusion fitted on clips that have their channels themselves, each heard by the served ensemble."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from samples import clips
from training import metrics
from training.fusion import fit_all
from training.fusion.fit_all import FOLDER, WEIGHTS, train_on_clips
from triptych.answer.parameters import FUSION_FILE, Parameters
from triptych.commands.demo_speech import synthesise
from triptych_client import Analysis, Client
from triptych_client.contract import CHANNELS, EMOTIONS

pytestmark = pytest.mark.server

LINES = ("I am so sad.", "I am so happy!")
GROUPS = 6


class Remembering(Client):
    """Asks about a file once: two files stand for the clips of all groups."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.answers: dict[Path, Analysis] = {}

    def analyze(self, path: Path, **options: Any) -> Analysis:
        if path not in self.answers:
            self.answers[path] = super().analyze(path, **options)
        return self.answers[path]


def test_a_folder_of_labelled_clips_becomes_a_regression_and_its_card(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(metrics, "RESAMPLES", 3)
    monkeypatch.setattr(fit_all, "Client", Remembering)
    for number, line in enumerate(LINES):
        spoken = synthesise(line, "en", words_per_minute=150)
        (tmp_path / f"{number}.mp4").write_bytes(clips.make(sound=np.repeat(np.tile(spoken, (2, 1)), 3, axis=1)))
    rows = [
        f"{int(emotion == 'happiness')}.mp4,{emotion},speaker {group}"
        for emotion in EMOTIONS
        for group in range(GROUPS)
    ]
    (tmp_path / "labels.csv").write_text("\n".join(["file,emotion,group", *rows]))
    train_on_clips(tmp_path, tmp_path / "out", repository)
    made = tmp_path / "out" / WEIGHTS / FOLDER
    parameters = Parameters.read(made / FUSION_FILE)
    assert not parameters.pooled
    face = parameters.weights[CHANNELS.index("face")]
    assert not face.any(), "no clip has a face: nothing is learnt of it"
    assert parameters.weights[CHANNELS.index("words")].any()
    card = (made / "README.md").read_text()
    assert "21 clips of a labelled folder to fit on and 21 to test on" in card
    assert "| sound + voice + words |" in card
    assert "| face" not in card
