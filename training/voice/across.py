"""How well a head on Whisper's states carries: to other speakers, sentences and corpora."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from networks.voice.whisper_states import Head
from training.data.speech import SpeechWindows
from training.metrics import balanced_accuracy, expected_calibration_error
from training.voice.spectrogram_cnn import folds
from training.voice.whisper_states import predict
from triptych.answer import adaptation

Array = np.ndarray
Fit = Callable[[SpeechWindows], Head]


@dataclass(frozen=True)
class Carried:
    """How well a head does on recordings of a corpus that it never heard.

    `recall` among the emotions that they have, and `ece`, its expected calibration error, are as served; `adapted` and
    `adapted_ece` are those after `triptych adapt` to the same recordings, which sees no label.
    """

    corpus: str
    clips: int
    emotions: int
    recall: float
    adapted: float
    ece: float
    adapted_ece: float

    def cells(self) -> tuple[str, ...]:
        """Return the row of a table."""
        numbers = (f"{number:.3f}" for number in (self.recall, self.adapted, self.ece, self.adapted_ece))
        return (self.corpus, str(self.clips), str(self.emotions), *numbers)


def without(speech: SpeechWindows, corpus: str) -> SpeechWindows:
    """Return the clips of all corpora but one."""
    return speech.choose(np.flatnonzero(speech.corpora != corpus))


def of(speech: SpeechWindows, corpus: str) -> SpeechWindows:
    """Return the clips of one corpus."""
    return speech.choose(np.flatnonzero(speech.corpora == corpus))


def carried(head: Head, unheard: SpeechWindows, temperature: float) -> Carried:
    """Measure a head on a corpus that it never heard."""
    plain = predict(head, unheard) / temperature
    adapted = plain + adaptation.fit(plain, adaptation.equal())
    present = np.unique(unheard.labels)
    return Carried(
        str(unheard.corpora[0]),
        len(unheard.labels),
        len(present),
        balanced_accuracy(unheard.labels, among(plain, present).argmax(1)),
        balanced_accuracy(unheard.labels, among(adapted, present).argmax(1)),
        *(expected_calibration_error(unheard.labels, softmax(logits, axis=1)) for logits in (plain, adapted)),
    )


def among(logits: Array, emotions: Array) -> Array:
    """Return logits [n, 7] with those of all but some emotions at the bottom."""
    return np.where(np.isin(np.arange(logits.shape[1]), emotions), logits, -np.inf)


def other_sentences(speech: SpeechWindows, fit: Fit, seed: int) -> float:
    """Return the recall on a corpus of two sentences: each half by heads of the other sentence, of other speakers."""
    first = speech.sentences == speech.sentences[0]
    logits = np.zeros((len(speech.labels), 7), np.float32)
    for kept, rest in folds(speech, seed):
        for half in (first, ~first):
            heard, asked = kept[half[kept]], rest[~half[rest]]
            logits[asked] = predict(fit(speech.choose(heard)), speech.choose(asked))
    return balanced_accuracy(speech.labels, logits.argmax(1))


def by_corpus(speech: SpeechWindows, logits: Array) -> Mapping[str, float]:
    """Return the unweighted average recall in each corpus, among the emotions that it has."""
    found = {}
    for corpus in np.unique(speech.corpora):
        rows = speech.corpora == corpus
        labels = speech.labels[rows]
        found[str(corpus)] = balanced_accuracy(labels, among(logits[rows], np.unique(labels)).argmax(1))
    return found
