"""Trains the voice channel's head on states of Whisper's encoder: measured across speakers, and across corpora.

The states of every window are computed once and kept in --out; a head then takes seconds, so that everything that is
said of it is measured by heads which never heard the speaker, the sentence, or the corpus.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from export import catalog, fetch
from networks.voice.whisper_states import LAYERS, Head, States
from networks.whisper import published
from training.data import speech as data_speech
from training.data.digest import digest
from training.data.speech import ALL_SEVEN, SpeechWindows
from training.data.spoken import Spoken
from triptych.files import write_atomically
from triptych.paths import CACHE, MODEL_REPOSITORY
from triptych.sound import mel

Array = np.ndarray
NETWORK = "whisper-states"
LEARNT = (*ALL_SEVEN, "nemo", "cremad")
STRENGTH = 5e-4
"""Inverse strength of the L2 penalty. Of heads of RAVDESS and EMO-DB those at 3e-4, 1e-3 and 1e-2 are right as often on
EMOVO and ASED (recall 0.42, 0.42, 0.43), and the weaker the penalty, the surer they are of it (calibration error 0.07,
0.17, 0.29): chosen with these two in sight."""
ITERATIONS = 100
"""It does not converge in so many; whether more would help was not measured."""
SEED = 0
LEAST_SCALE = 1e-3
"""Of a state's deviation over the data; half floats must hold its inverse."""
UNHEARD = -20.0
"""The logit of an emotion that no recording expresses: a head that never heard one does not name it."""
FACTS = ("labels", "speakers", "corpora", "sentences")


def encoder() -> States:
    """Return the encoder whose states are learnt from, of the catalogue's Whisper base."""
    return States(published.read(fetch.fetch(catalog.load()["whisper-base"], CACHE)).model).eval()


def collect(data: Path, out: Path, corpora: Iterable[str], repository: Path = MODEL_REPOSITORY) -> SpeechWindows:
    """Return the states of every window of the recordings, cut at speech as where the model is served.

    They are kept in `out` by corpus. TriptychError as of `data_speech.recordings`, or when `repository` has no speech
    detector.
    """
    return joined([_collect(data, out, corpus, repository) for corpus in corpora])


def joined(parts: list[SpeechWindows]) -> SpeechWindows:
    """Return several corpora as one."""
    offsets = np.cumsum([0, *(len(part.labels) for part in parts[:-1])])
    return SpeechWindows(
        torch.cat([part.windows for part in parts]),
        np.concatenate([part.clip_of_window + offset for part, offset in zip(parts, offsets)]),
        *(np.concatenate([getattr(part, name) for part in parts]) for name in FACTS),
    )


def _collect(data: Path, out: Path, corpus: str, repository: Path) -> SpeechWindows:
    layers = "-".join(map(str, LAYERS))
    path = out / f"{corpus}-{layers}-{digest(data, data_speech.files(data, [corpus]))[:16]}.npz"
    if not path.is_file():
        recordings = track(list(data_speech.recordings(data, [corpus])), corpus)
        spoken, states = Spoken(repository), encoder()
        found = data_speech.windows(recordings, partial(_pooled, states), lambda pcm: spoken.cut(pcm)[1].pcm)
        out.mkdir(parents=True, exist_ok=True)
        write_atomically(path, lambda unfinished: _save(unfinished, found))
    with np.load(path, allow_pickle=False) as kept:
        return SpeechWindows(torch.from_numpy(kept["states"]), kept["clips"], *(kept[name] for name in FACTS))


@torch.inference_mode()
def _pooled(states: States, pcm: Array) -> Array:
    """Return the pooled states of a window f32 [48000]."""
    return states(torch.from_numpy(mel.whisper_log_mel(pcm))[None])[0].numpy()


def _save(path: Path, found: SpeechWindows) -> None:
    with path.open("wb") as file:
        facts = {name: getattr(found, name) for name in FACTS}
        np.savez(file, states=found.windows.numpy(), clips=found.clip_of_window, **facts)


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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        regression.fit(((states - head.mean) / head.scale).numpy(), labels, share / share.mean())
    with torch.no_grad():
        head.linear.weight.zero_()
        head.linear.bias.fill_(UNHEARD)
        head.linear.weight[regression.classes_] = torch.from_numpy(regression.coef_).float()
        head.linear.bias[regression.classes_] = torch.from_numpy(regression.intercept_).float()
    return head.eval()


@torch.inference_mode()
def predict(head: Head, heard: SpeechWindows) -> Array:
    """Return logits [clips, 7], the mean over each clip's windows."""
    return heard.of_clips(head(heard.windows.float()).numpy())
