"""What the voice channel's model cards say of corpora and speakers."""

from __future__ import annotations

import numpy as np

from training.data.speech import SpeechWindows
from training.metrics import balanced_accuracy


def results_by_group(speech: SpeechWindows, logits: np.ndarray) -> dict[str, object]:
    """Return, for logits [clips, 7], what `voice/spectrogram_cnn.md` asks for.

    `corpora`: (name, unweighted average recall) of each; `speakers`: the accuracies of the worst, the middle and the
    best speaker, and how many there are.
    """
    predicted = logits.argmax(1)
    masks = {corpus: speech.corpora == corpus for corpus in np.unique(speech.corpora)}
    recalls = [(name, f"{balanced_accuracy(speech.labels[rows], predicted[rows]):.3f}") for name, rows in masks.items()]
    right = predicted == speech.labels
    accuracies = [right[speech.speakers == speaker].mean() for speaker in np.unique(speech.speakers)]
    spread = {"worst": min(accuracies), "middle": np.median(accuracies), "best": max(accuracies)}
    return {"corpora": recalls, "speakers": {**spread, "count": len(accuracies)}}
