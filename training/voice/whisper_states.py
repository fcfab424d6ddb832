"""Trains the voice channel's head on states of Whisper's encoder: measured across speakers, and across corpora.

The states of every window are computed once and kept in --out; a head then takes seconds, so that everything that is
said of it is measured by heads which never heard the speaker, the sentence, or the corpus.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from sklearn.linear_model import LogisticRegression

from export import catalog, fetch
from networks.voice.whisper_states import Head, States
from networks.whisper import published
from training.data import speech as data_speech
from training.data.digest import digest
from training.data.speech import ALL_SEVEN, SpeechWindows
from triptych.files import write_atomically
from triptych.paths import CACHE, MODEL_REPOSITORY
from triptych.sound import mel, spoken
from triptych.sound.detector import SpeechDetector
from triptych_client.contract import EMOTIONS

Array = np.ndarray
NETWORK = "whisper-states"
LEARNT = (*ALL_SEVEN, "nemo", "cremad")
STRENGTH = 5e-4
"""Inverse strength of the L2 penalty, the largest of 3e-4, 5e-4, 1e-3 and 1e-2 that costs nothing across corpora."""
ITERATIONS = 100
SEED = 0
LEAST_SCALE = 1e-3
"""Of a state's deviation over the data; half floats must hold its inverse."""
UNHEARD = -20.0
"""The logit of an emotion that no recording expresses: a head that never heard one does not name it."""
FACTS = ("labels", "speakers", "corpora", "sentences")
NOTHING_TAGGED = np.zeros((0, 2), np.float32)


def collect(data: Path, out: Path, corpora: Iterable[str]) -> SpeechWindows:
    """Return the states of every window of the recordings, cut at speech as where the model is served.

    They are kept in `out` by corpus. TriptychError as of `data_speech.recordings`.
    """
    return joined([_collect(data, out, corpus) for corpus in corpora])


def joined(parts: list[SpeechWindows]) -> SpeechWindows:
    """Return several corpora as one."""
    offsets = np.cumsum([0, *(len(part.labels) for part in parts[:-1])])
    return SpeechWindows(
        torch.cat([part.windows for part in parts]),
        np.concatenate([part.clip_of_window + offset for part, offset in zip(parts, offsets)]),
        *(np.concatenate([getattr(part, name) for part in parts]) for name in FACTS),
    )


def _collect(data: Path, out: Path, corpus: str) -> SpeechWindows:
    path = out / f"{corpus}-{digest(data, data_speech.files(data, [corpus]))[:16]}.npz"
    if not path.is_file():
        states = _States()
        recordings = track(list(data_speech.recordings(data, [corpus])), corpus)
        found = data_speech.windows(recordings, states.of_window, states.cut)
        out.mkdir(parents=True, exist_ok=True)
        write_atomically(path, lambda partial: _save(partial, found))
    with np.load(path, allow_pickle=False) as kept:
        return SpeechWindows(torch.from_numpy(kept["states"]), kept["clips"], *(kept[name] for name in FACTS))


def _save(path: Path, found: SpeechWindows) -> None:
    with path.open("wb") as file:
        facts = {name: getattr(found, name) for name in FACTS}
        np.savez(file, states=found.windows.numpy(), clips=found.clip_of_window, **facts)


class _States:
    """Cuts sound where somebody speaks, and takes the states of a window."""

    def __init__(self) -> None:
        self.detector = SpeechDetector(MODEL_REPOSITORY / "speech_detector" / "1")
        self.states = States(published.read(fetch.fetch(catalog.load()["whisper-base"], CACHE)).model).eval()

    def cut(self, pcm: Array) -> Array:
        """Return the windows [w, 48000] of a recording; all of it where no speech is detected in it."""
        spans = self.detector.detect(pcm, NOTHING_TAGGED, NOTHING_TAGGED)
        return spoken.voice_windows(pcm, spans if len(spans) else np.array([[0, len(pcm)]])).pcm

    @torch.inference_mode()
    def of_window(self, pcm: Array) -> Array:
        """Return the pooled states of a window."""
        return self.states(torch.from_numpy(mel.whisper_log_mel(pcm))[None])[0].numpy()


def fit(learnt: SpeechWindows, strength: float = STRENGTH) -> Head:
    """Return a head for these windows: of each corpus each emotion weighs as the root of its windows."""
    states = learnt.windows.float()
    head = Head()
    head.mean.copy_(states.mean(0))
    head.scale.copy_(states.std(0).clamp(min=LEAST_SCALE))
    labels = learnt.labels[learnt.clip_of_window]
    kinds = np.char.add(learnt.corpora[learnt.clip_of_window], labels.astype(str))
    _, kind, count = np.unique(kinds, return_inverse=True, return_counts=True)
    share = 1 / np.sqrt(count[kind])
    regression = LogisticRegression(C=strength, max_iter=ITERATIONS)
    regression.fit(((states - head.mean) / head.scale).numpy(), labels, share / share.mean())
    with torch.no_grad():
        head.linear.weight.zero_()
        head.linear.bias.fill_(UNHEARD)
        head.linear.weight[regression.classes_] = torch.from_numpy(regression.coef_).float()
        head.linear.bias[regression.classes_] = torch.from_numpy(regression.intercept_).float()
    return head.eval()


@torch.inference_mode()
def predict(head: Head, heard: SpeechWindows, adapted: bool = False) -> Array:
    """Return logits [clips, 7], the mean over each clip's windows.

    `adapted`: states are standardised by those of `heard` itself, without its labels.
    """
    states = heard.windows.float()
    if adapted:
        own = (states - states.mean(0)) / states.std(0).clamp(min=LEAST_SCALE)
        states = own * head.scale + head.mean
    windows = head(states).numpy()
    sums = np.zeros((len(heard.labels), len(EMOTIONS)), np.float32)
    np.add.at(sums, heard.clip_of_window, windows)
    return sums / np.bincount(heard.clip_of_window)[:, None]
