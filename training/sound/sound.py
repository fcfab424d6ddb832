"""`triptych train sound`: chooses the constants of the tag comparison, and writes them with their card.

See `training.sound.choice` for how they are chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np
import onnxruntime
import typer
from scipy.special import softmax
from scipy.stats import binned_statistic

from export import catalog, onnx
from export.fetch import fetch
from networks.sound import labels
from networks.sound import yamnet as sound_tagger
from networks.sound.comparison import METHOD_FILE
from networks.words.e5 import Embedder
from training.card import CARD, commit
from training.data import sounds as data_sounds
from training.data.sounds import KINDS, Sound
from training.loop import write_text
from training.metrics import CALIBRATION_BINS, RESAMPLES, Interval
from training.sound.choice import GRID, Trial, choose, divergences, kind_means, kinds, targets, tried
from triptych.paths import CACHE
from triptych_client.contract import EMOTIONS

Array = np.ndarray

METHOD = """\
# Sound: tag comparison

Which emotion the sounds of a clip express, from the names of what is heard. YAMNet gives 521 AudioSet classes their
probabilities; a table of 521 x 7 logits says what each class adds. It is computed, not trained: multilingual-e5-small
embeds the name of each class, and descriptions of the sounds of each emotion (`networks/sound/descriptions.py`, with
the reasoning); what all embeddings share is taken away (mean, and the leading directions of the tags); cosines with the
nearest descriptions are contrasted over the emotions, scaled by their deviation over all classes, and lessened by the
likeness to neutral sounds. A class speaks for an emotion from a threshold on: most classes of AudioSet express
nothing, so their own spread is the measure of chance. `networks/sound/comparison.py` is the method, `method.json` its
constants.

## Data and terms

The recordings below `audio_tags/` of the data (their terms are unknown: they only chose the constants, nothing of them
is here) and AudioSet's class names (ontology: CC BY-SA 4.0). multilingual-e5-small is under the MIT licence.

## Choice of the constants

Six constants are chosen on a grid by how far the answer for a sound is from what the sound is expected to express: the
Kullback-Leibler divergence in nats, averaged over the sounds of a kind, then over the kinds. Of the points within one
standard error of the least, the one that is the least sure is taken: so few kinds cannot tell them apart. An emotional
sound is expected to give its emotion 80 %: listeners agree on 86 % of acted bursts of voice (Lima, Castro and Scott
2013, doi:10.3758/s13428-013-0324-3), and on 70 % and more of amusement, fear and sadness in amateur videos (Anikin and
Persson 2017). Any other sound is expected to say nothing: neutral 31 %, as often as in everyday writing, the rest
equal. Two more constants follow from that: `neutral` from the 31 %, and `limit`, with which one tag alone reaches the
80 %. Sounds are recordings, as the tagger hears them, and single classes, each as if heard for certain, for there are
recordings of one emotional kind only.
"""

LIMITS = """\
## Limits

- Few sounds: the recordings are short, of one household and of one data set, and laughter is the only emotional kind
  among them. What is said of crying, screaming and the rest is said of their names, not of what a tagger hears.
- The descriptions were written knowing AudioSet's list; leaving a kind out keeps its sounds out of the choice, not
  its words out of the descriptions.
- A sound has its usual meaning only: laughter is joy, also when it mocks. No class of AudioSet expresses disgust.
- `heard` fits YAMNet's probabilities; a tagger that is surer or less sure wants its own.
- Not for emotion inference at work or in education.
"""


@dataclass(frozen=True)
class Result:
    """Answers to all sounds: logits [n, 7], and what was expected [n, 7]."""

    logits: Array
    expected: Array

    def agreement(self, rows: Array) -> float:
        """Return how often the answer's emotion is the expected one."""
        return float((self.logits[rows].argmax(1) == self.expected[rows].argmax(1)).mean())

    def divergence(self, rows: Array) -> float:
        """Return the mean divergence in nats."""
        return float(divergences(self.logits[rows], self.expected[rows]).mean())

    def calibration_error(self, rows: Array) -> float:
        """Return the expected calibration error: an answer is right by the share that is expected of its emotion."""
        probabilities = softmax(self.logits[rows], axis=1)
        best = probabilities.argmax(1)
        confidence, right = probabilities.max(1), self.expected[rows, best]
        gaps = binned_statistic(confidence, right - confidence, "sum", CALIBRATION_BINS, range=(0, 1)).statistic
        return float(np.abs(gaps).sum() / len(rows))


def train_sound(data: Path, out: Path) -> None:
    """Choose the constants on the sounds in `data`; method.json and the card go to `out`."""
    yamnet, e5 = (fetch(catalog.load()[name], CACHE) for name in ("yamnet", "multilingual-e5-small"))
    classes = labels.of_yamnet(yamnet)
    sounds = [*data_sounds.recorded(data, tagger(yamnet)), *data_sounds.named(classes)]
    trials = list(tried(sounds, classes, Embedder(e5)))
    chosen, left_out = choose(trials, sounds)
    page = card(sounds, trials, chosen, left_out)
    typer.echo(page)
    write({METHOD_FILE: chosen.method.dump(), CARD: page}, out)


def write(texts: Mapping[str, str], folder: Path) -> None:
    """Write files by name; TriptychError when one cannot be written, with the old one kept."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        write_text(folder / name, text)


def tagger(source: Path) -> onnxruntime.InferenceSession:
    """Return YAMNet as it is exported."""
    graph = sound_tagger.build(sound_tagger.load_quantised(source), len(labels.of_yamnet(source)))
    return onnxruntime.InferenceSession(onnx.checked(graph).SerializeToString())


def card(sounds: Sequence[Sound], trials: Sequence[Trial], chosen: Trial, left_out: Array) -> str:
    """Return the model card: method, choice, results, limits."""
    expected = targets(sounds)
    plain = replace(chosen.method, temperature=1.0)
    results = {
        "temperature 1": Result(next(trial.logits for trial in trials if trial.method == plain), expected),
        "as chosen": Result(chosen.logits, expected),
        "its kind left out of the choice": Result(left_out, expected),
    }
    sections = (
        METHOD,
        _choice(sounds, trials, chosen),
        f"## Results\n\n{_scores(sounds, results)}",
        _by_kind(sounds, chosen, Result(left_out, expected)),
        LIMITS,
        f"## Made by\n\n`triptych train sound --data DIR --out DIR` at commit `{commit()}`.\n",
    )
    return "\n".join(sections)


def _choice(sounds: Sequence[Sound], trials: Sequence[Trial], chosen: Trial) -> str:
    criteria = np.array([kind_means(trial.divergences, sounds).mean() for trial in trials])
    lines = ["| constant | chosen | least divergence with each value, the others free |", "|---|---|---|"]
    for option in fields(GRID):
        given = np.array([getattr(trial.method, option.name) for trial in trials])
        values = getattr(GRID, option.name)
        least = "; ".join(f"{_shown(value)}: {criteria[given == value].min():.4f}" for value in values)
        lines.append(f"| {option.name} | {_shown(getattr(chosen.method, option.name))} | {least} |")
    derived = asdict(chosen.method).keys() - {option.name for option in fields(GRID)}
    lines += [
        f"| {name} | {getattr(chosen.method, name):.3f} | follows from the expectations |" for name in sorted(derived)
    ]
    return "\n".join(lines) + "\n"


def _shown(value: object) -> str:
    return f"`{value.strip()}`" if isinstance(value, str) else str(value)


def _scores(sounds: Sequence[Sound], results: dict[str, Result]) -> str:
    recorded = np.array([sound.recorded for sound in sounds])
    groups = {"recordings": np.flatnonzero(recorded), "names alone": np.flatnonzero(~recorded)}
    lines = ["| sounds | constants | right emotion | divergence, nats | ECE |", "|---|---|---|---|---|"]
    for group, rows in groups.items():
        for name, result in results.items():
            scores = (result.agreement, result.divergence, result.calibration_error)
            cells = [_interval(score, rows) for score in scores]
            lines.append(f"| {group} ({len(rows)}) | {name} | {' | '.join(cells)} |")
    note = (
        "With 95 % bootstrap intervals over the sounds, which are few and of few kinds. A sound that is expected to "
        "say nothing is right when neutral is first. ECE: expected calibration error, an answer counting as right by "
        'the share that is expected of its emotion. "Temperature 1" is the scale before it was chosen.'
    )
    return "\n".join([*lines, "", note, ""])


def _interval(score: Callable[[Array], float], rows: Array) -> str:
    random = np.random.default_rng(0)
    values = [score(random.choice(rows, len(rows))) for _ in range(RESAMPLES)]
    interval = Interval(score(rows), *(float(edge) for edge in np.percentile(values, (2.5, 97.5))))
    return f"{interval.value:.3f} ({interval.low:.3f} to {interval.high:.3f})"


def _by_kind(sounds: Sequence[Sound], chosen: Trial, left_out: Result) -> str:
    head = (
        "kind",
        "recordings",
        "names",
        "expected",
        "its mean probability",
        "most for another",
        "divergence",
        "left out",
    )
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    probabilities = softmax(chosen.logits, axis=1)
    for kind in kinds(sounds):
        rows = np.array([row for row, sound in enumerate(sounds) if sound.kind == kind])
        emotion = KINDS[kind].emotion
        column = EMOTIONS.index(emotion or "neutral")
        others = np.delete(probabilities[rows], [column, EMOTIONS.index("neutral")], axis=1)
        recordings = sum(sounds[row].recorded for row in rows)
        cells = (
            *(kind, str(recordings), str(len(rows) - recordings), emotion or "nothing"),
            *(f"{probabilities[rows, column].mean():.2f}", f"{others.max():.2f}"),
            *(f"{max(0, loss):.3f}" for loss in (chosen.divergences[rows].mean(), left_out.divergence(rows))),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
