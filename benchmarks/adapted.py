"""What is adaptation to unlabelled footage worth, on clips whose labels are known?

python -m benchmarks.adapted --evaluation FILE --data DIR --states DIR

FILE is evaluation.json of `triptych evaluate` on clips of several groups (people), made without adaptation. Each
group is cut in two at random: the offsets of one half are fitted on the other without its labels, and so the other
way round; least and median are of many such cuts. All numbers are of the fusion that is served.

The voice besides, on speech of languages that its head never heard (EMOVO, ASED): by all of the corpus, and by speaker.
DIR is the data folder, and --states the folder in which `triptych train voice` keeps the states of Whisper's encoder.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from scipy.special import softmax

from benchmarks.measure import publish, table
from networks import weights
from networks.voice.whisper_states import Head
from training.data.speech import MEASURED_ONLY, SpeechWindows
from training.evaluation.answered import Answered
from training.fusion.fit import answers
from training.metrics import balanced_accuracy, expected_calibration_error
from training.voice.across import among, carried
from training.voice.whisper_states import collect, predict
from triptych.answer import adaptation
from triptych.answer.parameters import FUSION_FILE, Parameters
from triptych.paths import OWN_WEIGHTS
from triptych_client.contract import CHANNELS, EMOTIONS

Array = np.ndarray
ADAPTED = ("face", "voice")
CUTS = 20
ALL = tuple(range(len(CHANNELS)))


def main(
    evaluation: Annotated[Path, typer.Option(exists=True, dir_okay=False)],
    data: Annotated[Path, typer.Option(exists=True, file_okay=False)],
    states: Annotated[Path, typer.Option(file_okay=False)],
) -> None:
    """Measure answers with and without adaptation."""
    answered = Answered.read(evaluation)
    parameters = Parameters.read(OWN_WEIGHTS / "fusion" / FUSION_FILE)
    plain = _scores(answered, answered.evidence, parameters)
    cuts = [_scores(answered, _by_other_half(answered, seed), parameters) for seed in range(CUTS)]
    whole = _scores(answered, _by_group(answered, np.zeros(len(answered.labels), bool)), parameters)
    rows = [
        (name, f"{plain[name]:.3f}", f"{np.min(values):.3f}, {np.median(values):.3f}", f"{whole[name]:.3f}")
        for name, values in ((name, [cut[name] for cut in cuts]) for name in plain)
    ]
    header = ("score", "without", "by the other half: least, median", "by all clips of the group")
    page = [table(header, rows), table(("corpus", "clips", *VOICE_HEADER), _voice(data, states))]
    publish("adapted", "python -m benchmarks.adapted --evaluation FILE --data DIR --states DIR", "\n\n".join(page))


def _scores(answered: Answered, evidence: Array, parameters: Parameters) -> dict[str, float]:
    """Return recall of face and voice by their own logits, and of the answer how often it is right and its ECE."""
    found = {}
    for channel in ADAPTED:
        logits = evidence[:, CHANNELS.index(channel), : len(EMOTIONS)]
        found |= {
            f"{channel}, recall, {group}": balanced_accuracy(answered.labels[rows], logits[rows].argmax(1))
            for group, rows in _groups(answered)
        }
    shares = softmax(answers(parameters, evidence, ALL), axis=1)
    found["the answer, right"] = float((shares.argmax(1) == answered.labels).mean())
    found["the answer, certainty"] = float(shares.max(1).mean())
    found["the answer, ECE"] = expected_calibration_error(answered.labels, shares)
    return found


def _groups(answered: Answered) -> Iterable[tuple[str, Array]]:
    groups = np.array(answered.groups)
    return [(str(group), groups == group) for group in np.unique(groups)]


def _by_other_half(answered: Answered, seed: int) -> Array:
    """Return the evidence, each half of a group's clips adapted by the other."""
    first = np.random.default_rng(seed).random(len(answered.labels)) < 0.5
    return np.where(first[:, None, None], _by_group(answered, first), _by_group(answered, ~first))


def _by_group(answered: Answered, left_out: Array) -> Array:
    """Return the evidence [n, 4, 14] adapted by group, by the clips that are not `left_out` [n]."""
    evidence, moved = answered.evidence, answered.evidence.copy()
    for _, rows in _groups(answered):
        for column in (CHANNELS.index(channel) for channel in ADAPTED):
            logits = evidence[rows & ~left_out, column, : len(EMOTIONS)]
            offset = adaptation.fit(logits[np.isfinite(logits).all(axis=1)], adaptation.equal())
            plain, sure = np.split(evidence[rows, column], 2, axis=1)
            reliability = (sure * plain).sum(1, keepdims=True) / (plain**2).sum(1, keepdims=True)
            moved[rows, column] = np.hstack([plain + offset, sure + reliability * offset])
    return moved


VOICE_HEADER = ("emotions", "recall", "adapted to the corpus", "adapted to each speaker", "ECE", "ECE adapted")


def _voice(data: Path, states: Path) -> list[tuple[object, ...]]:
    """Return the rows of the corpora that no head heard."""
    head = Head()
    temperature = weights.load(head, OWN_WEIGHTS / "whisper-states" / weights.FILE)
    return [_corpus(head.eval(), temperature, collect(data, states, [corpus])) for corpus in MEASURED_ONLY]


def _corpus(head: Head, temperature: float, heard: SpeechWindows) -> tuple[object, ...]:
    whole = carried(head, heard, temperature)
    by_speaker = predict(head, heard) / temperature
    for speaker in np.unique(heard.speakers):
        rows = heard.speakers == speaker
        by_speaker[rows] += adaptation.fit(by_speaker[rows], adaptation.equal())
    found = balanced_accuracy(heard.labels, among(by_speaker, np.unique(heard.labels)).argmax(1))
    numbers = (f"{number:.3f}" for number in (whole.recall, whole.adapted, found, whole.ece, whole.adapted_ece))
    return whole.corpus, whole.clips, whole.emotions, *numbers


if __name__ == "__main__":
    typer.run(main)
