"""`python -m export.gates`: measure every exported graph; exit 1 when one does not pass in fp32 or fp16."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from onnx import GraphProto
from torch import nn

from export import onnx as exporter
from export import runner
from export.catalog import Entry, resolve
from export.gates import corpora, inputs, measure, report, whisper
from export.gates.inputs import Feeds
from export.gates.measure import Gate, Subject
from export.gates.references import REFERENCES
from export.tensorrt.shapes import SHAPES
from networks.served import Derived, Part, Served
from triptych.errors import TriptychError
from triptych.paths import BUILD, CACHE, MODEL_REPOSITORY
from triptych.serving.engines import Precision

LOW = (Precision.FP16,)
OF_ENGINES = (Precision.FP16, Precision.BF16)
"""bf16 can be asked for where a step becomes an engine."""
WHISPER = "whisper"
ELSEWHERE = {
    "whisper below fp32": "it is served in fp32 only. Words against real recordings: benchmarks/results/whisper_wer.md",
    "model.onnx of face_detector below fp32": "it goes frame by frame, for CPUs; engines are built of batched.onnx",
    "int8": "measured in points of each model's task: benchmarks/results/int8.md",
}
"""What is held elsewhere, or to nothing since it is not served."""


def main(
    clip: Annotated[Path, typer.Option(help="A clip with a face and speech.")] = BUILD / "demo" / "demo.mp4",
    data: Annotated[Path | None, typer.Option(help="Folder with corpora: see export/gates/corpora.py.")] = None,
    step: Annotated[list[str] | None, typer.Option(help="Measure this step only; the others' reports stay.")] = None,
    page: Annotated[Path | None, typer.Option(help="Write the reports of all steps as Markdown here.")] = None,
    repository: Annotated[Path, typer.Option(help="The model repository.")] = MODEL_REPOSITORY,
) -> None:
    """Measure, write gates.json beside each export, and say what does not pass."""
    if not clip.is_file():
        raise TriptychError(f"there is no {clip}: `triptych demo` makes one, or name a clip with a face and speech")
    tensors = inputs.of_clip(clip.read_bytes(), repository, step or inputs.STEPS_WITH_INPUTS)
    feeds = {name: {clip.name: given} for name, given in tensors.items()}
    if data:
        further = corpora.of_folder(data, repository, feeds)
        feeds = {name: {**given, **further[name]} for name, given in feeds.items()}
    plans = [item for item in runner.plan(repository, {}, {}) if item.entry.step in feeds]
    passed = [of_model(item, repository, feeds[item.entry.step]) for item in plans]
    if page:
        command = f"python -m export.gates{' --data DIR' if data else ''}"
        page.write_text(report.page(report.read_all(repository), command, ELSEWHERE), encoding="utf-8")
    raise typer.Exit(0 if all(passed) else 1)


def of_model(item: runner.Plan, repository: Path, feeds: dict[str, Feeds]) -> bool:
    """Measure the files of a step's model, write the report beside them, and tell whether what decides passes."""
    folders = runner.gather(item, CACHE) if item.entry.network else []
    of_entry = of_whisper if item.entry.step == WHISPER else of_graphs
    gates = list(of_entry(item.entry, folders, repository / item.entry.step / "1", feeds))
    report.write_beside(gates, repository)
    for gate in measure.worst_first(gates):
        said = "ok" if gate.passed else "NO"
        print(f"{said}  {gate.entry} {gate.file} {gate.precision}: {gate.what} {gate.figure:.6g} ({gate.inputs})")
    return all(gate.passed for gate in gates if gate.decides)


def of_whisper(entry: Entry, folders: Sequence[Path], exported: Path, feeds: dict[str, Feeds]) -> Iterator[Gate]:
    """Yield the comparisons of Whisper's graphs with the model that the entry's module reads."""
    module = entry.network.partition(":")[0]
    comparison = whisper.Comparison(entry.name, exported, resolve(f"{module}:read")(*folders))
    for name, windows in feeds.items():
        yield from comparison.gates(name, windows)


def of_graphs(entry: Entry, folders: Sequence[Path], exported: Path, feeds: dict[str, Feeds]) -> Iterator[Gate]:
    """Yield the comparisons of every graph of a model."""
    made = exporter.parts(entry, folders) if entry.network else {}
    by_hand = REFERENCES[entry.network](*folders) if entry.network in REFERENCES else None
    for name, part in made.items():
        origin = made[part.of] if isinstance(part, Derived) else part
        network = by_hand if isinstance(origin, GraphProto) else origin
        yield from of_part(Subject(entry.step, entry.name, exported / name), part, network, feeds)


def of_part(subject: Subject, part: Part, network: nn.Module | Part | None, feeds: dict[str, Feeds]) -> Iterator[Gate]:
    """Yield the comparisons of a file of a model: a graph of a network, one made of such a one, or one by hand."""
    reference = network if isinstance(network, nn.Module) else None
    low = OF_ENGINES if subject.step in SHAPES else LOW
    precisions = low if isinstance(part, (Served, GraphProto)) else ()
    if reference or precisions:
        for name, tensors in feeds.items():
            yield from measure.compare(subject, reference, precisions, name, tensors)


if __name__ == "__main__":
    try:
        typer.run(main)
    except TriptychError as error:
        raise SystemExit(f"python -m export.gates: {error}") from error
