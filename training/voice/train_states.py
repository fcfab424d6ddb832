"""`triptych train voice --model whisper-states`: the head that is served, those of the folds, and the card."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
from safetensors.torch import load_file

from networks import weights
from networks.voice.whisper_states import LAYERS, Head
from training import device
from training.card import CARD, CONFUSION, render
from training.data.speech import ALL_SEVEN, MEASURED_ONLY, SpeechWindows
from training.metrics import fit_temperature, score
from training.plots import plot_confusion
from training.voice import across
from training.voice.across import among, carried, of, without
from training.voice.spectrogram_cnn import FOLDS, fold_folder, folds
from training.voice.trained_on import TrainedOn
from training.voice.whisper_states import LEARNT, NETWORK, SEED, collect, fit, joined, predict
from triptych.errors import TriptychError
from triptych.files import write_atomically, write_text
from triptych.paths import MODEL_REPOSITORY

Array = np.ndarray
COMMAND = "triptych train voice --model whisper-states --data DIR --out DIR"
STATES = "states"
COMMERCIAL = ("cremad", "emodb")
"""Corpora whose terms allow, or may allow, commercial use."""
LEAST_LOGIT = -1e4
"""What stands for minus infinity, which no search for a temperature survives."""
TWO_SENTENCES = "ravdess"
LEFT_OUT = ("ravdess", "emodb", "nemo")
"""Corpora that heads of the others are measured on; CREMA-D has too few of most emotions."""


def train_whisper_states(
    data: Path, out: Path, held_out: Collection[str] = (), repository: Path = MODEL_REPOSITORY
) -> None:
    """Train on the speech in `data`; weights and card go to `out`, where the states are kept.

    `held_out`: speakers whom no head hears, as `training.data.speech` calls them ("ravdess 05"). TriptychError when
    there is no such speaker, or as of `collect`.
    """
    everybody = collect(data, out / STATES, LEARNT, repository)
    if unknown := set(held_out) - set(everybody.speakers):
        missing = ", ".join(sorted(unknown))
        raise TriptychError(f"there is no {missing} among the speakers; one is called {everybody.speakers[0]}")
    learnt = everybody.choose(np.flatnonzero(~np.isin(everybody.speakers, list(held_out))))
    measured = collect(data, out / STATES, MEASURED_ONLY, repository)
    strangers = {corpus: fit(without(learnt, corpus)) for corpus in LEFT_OUT}
    temperature = _temperature(learnt, strangers)
    head = _keep(fit(learnt), learnt, temperature, out)
    logits = _cross_validate(learnt, temperature, out)
    seven = np.isin(learnt.corpora, ALL_SEVEN)
    scores = score(learnt.labels[seven], logits[seven] / temperature, learnt.speakers[seven])
    write_atomically(out / CONFUSION, lambda path: plot_confusion(scores.confusion, path))
    rows = [carried(head, of(measured, corpus), temperature) for corpus in MEASURED_ONLY]
    rows += [carried(stranger, of(learnt, corpus), temperature) for corpus, stranger in strangers.items()]
    page = render(
        "voice/whisper_states.md",
        layers=LAYERS,
        parameters=sum(parameter.numel() for parameter in head.linear.parameters()),
        hardware=device.describe(device.resolve("cpu")),
        held_out=sorted(held_out),
        commercial=f"{_commercial(learnt, measured):.3f}",
        across=[row.cells() for row in rows],
        folds=FOLDS,
        corpora=[(name, f"{recall:.3f}") for name, recall in across.by_corpus(learnt, logits).items()],
        sentences=f"{across.other_sentences(of(learnt, TWO_SENTENCES), fit, SEED):.3f}",
        scores=scores,
        temperature=temperature,
        confusion_picture=CONFUSION,
        command=" ".join([COMMAND, *(f'--hold-out "{speaker}"' for speaker in sorted(held_out))]),
    )
    write_text(out / CARD, page)


def _temperature(learnt: SpeechWindows, strangers: Mapping[str, Head]) -> float:
    """Return the temperature that suits corpora which a head never heard, among the emotions that they have.

    `strangers`: by corpus, a head that never heard it.
    """
    labels, logits = [], []
    for corpus, stranger in strangers.items():
        part = of(learnt, corpus)
        labels.append(part.labels)
        logits.append(among(predict(stranger, part), np.unique(part.labels)))
    return fit_temperature(np.concatenate(labels), np.maximum(np.concatenate(logits), LEAST_LOGIT))


def _keep(head: Head, learnt: SpeechWindows, temperature: float, folder: Path) -> Head:
    """Write a head and whom it heard; return it as it was written."""
    folder.mkdir(parents=True, exist_ok=True)
    weights.save(head, temperature, folder / weights.FILE)
    TrainedOn.of(NETWORK, learnt, FOLDS, SEED).write(folder / weights.FILE)
    weights.round_to_fp16(head)
    return head


def _cross_validate(learnt: SpeechWindows, temperature: float, out: Path) -> Array:
    """Return logits [clips, 7] of each clip by the head of a fold that never heard its speaker; keep the heads."""
    logits = np.zeros((len(learnt.labels), 7), np.float32)
    for number, (kept, rest) in enumerate(folds(learnt, SEED), 1):
        part = learnt.choose(kept)
        head = _keep(fit(part), part, temperature, fold_folder(out, number))
        logits[rest] = predict(head, learnt.choose(rest))
    return logits


def load_folds(run: Path) -> list[tuple[Head, TrainedOn]]:
    """Return the heads of a run's folds, and whom each heard; TriptychError when it is not a finished one."""
    found = []
    for number in range(1, FOLDS + 1):
        folder = fold_folder(run, number)
        trained_on = TrainedOn.read(folder)
        if trained_on is None:
            raise TriptychError(f"there is no {folder}: it takes the --out of a finished `triptych train voice`")
        head = Head()
        head.load_state_dict(load_file(folder / weights.FILE))
        found.append((head.eval(), trained_on))
    return found


def _commercial(learnt: SpeechWindows, measured: SpeechWindows) -> float:
    """Return the mean recall of a head of COMMERCIAL on all other corpora."""
    head = fit(joined([of(learnt, corpus) for corpus in COMMERCIAL]))
    others = [of(learnt, corpus) for corpus in LEARNT if corpus not in COMMERCIAL]
    others += [of(measured, corpus) for corpus in MEASURED_ONLY]
    return float(np.mean([carried(head, part, 1.0).recall for part in others]))
