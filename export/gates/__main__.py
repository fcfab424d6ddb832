"""`python -m export.gates`: measure every exported graph that has a network; exit 1 when one does not pass."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from onnx import GraphProto

from export import onnx as exporter
from export import runner
from export.gates import inputs, measure, report
from export.gates.inputs import Feeds
from export.gates.measure import Gate, Subject
from networks.served import Derived, Part, Served
from triptych.errors import TriptychError
from triptych.paths import BUILD, CACHE, MODEL_REPOSITORY
from triptych.serving.engines import Precision

MOST_FACES = 256
LOW = (Precision.FP16, Precision.BF16)
ELSEWHERE = {
    "whisper": "token for token against transformers in fp32 (tests/unit/triptych/words/whisper/test_parity.py), and "
    "words against real recordings (benchmarks/results/whisper_wer.md)",
    "speech_detector": "published as a graph, and served as that",
    "sound_tagger, sound_emotion in fp32": "YAMNet and the comparison of tags are written as graphs, with no network "
    "in PyTorch beside them (tests/unit/networks/sound)",
}
"""What is held to more than numbers, or has nothing in PyTorch to be compared with."""


def main(
    clip: Annotated[Path, typer.Option(help="A clip with a face and speech.")] = BUILD / "demo" / "demo.mp4",
    data: Annotated[Path | None, typer.Option(help="Folder with fer2013_train_val.npz: real faces.")] = None,
    step: Annotated[list[str] | None, typer.Option(help="Measure this step only; the others' reports stay.")] = None,
    page: Annotated[Path | None, typer.Option(help="Write the reports of all steps as Markdown here.")] = None,
    repository: Annotated[Path, typer.Option(help="The model repository.")] = MODEL_REPOSITORY,
) -> None:
    """Measure, write gates.json beside each export, and say what does not pass."""
    if not clip.is_file():
        raise TriptychError(f"there is no {clip}: `triptych demo` makes one, or name a clip with a face and speech")
    tensors = inputs.of_clip(clip.read_bytes(), repository, step or inputs.STEPS_WITH_INPUTS)
    feeds = {name: {clip.name: given} for name, given in tensors.items()}
    if data and "expression" in feeds:
        feeds["expression"]["FER2013 validation"] = inputs.faces(data, MOST_FACES)
    plans = [item for item in runner.plan(repository, {}, {}) if item.entry.step in feeds]
    passed = [of_model(item, repository, feeds[item.entry.step]) for item in plans]
    if page:
        command = f"python -m export.gates{' --data DIR' if data else ''}"
        page.write_text(report.page(report.read_all(repository), command, ELSEWHERE), encoding="utf-8")
    raise typer.Exit(0 if all(passed) else 1)


def of_model(item: runner.Plan, repository: Path, feeds: dict[str, Feeds]) -> bool:
    """Measure the files of a step's model, write the report beside them, and tell whether all pass."""
    entry = item.entry
    made = exporter.parts(entry, runner.gather(item, CACHE)) if entry.network else {}
    gates: list[Gate] = []
    for name, part in made.items():
        subject = Subject(entry.step, entry.name, repository / entry.step / "1" / name)
        gates += of_part(subject, part, made.get(part.of) if isinstance(part, Derived) else None, feeds)
    report.write_beside(gates, repository)
    for gate in measure.worst_first(gates):
        said = "ok" if gate.passed else "NO"
        print(f"{said}  {gate.entry} {gate.file} {gate.precision}: {gate.what} {gate.figure:.6g} ({gate.inputs})")
    return all(gate.passed for gate in gates)


def of_part(subject: Subject, part: Part, origin: Part | None, feeds: dict[str, Feeds]) -> Iterator[Gate]:
    """Yield the comparisons of a file of a model: a graph of a network, one made of such a one, or one by hand."""
    network = origin if isinstance(part, Derived) else part
    served = network if isinstance(network, Served) else None
    precisions = LOW if isinstance(part, (Served, GraphProto)) else ()
    if served or precisions:
        for name, tensors in feeds.items():
            yield from measure.compare(subject, served, precisions, name, tensors)


if __name__ == "__main__":
    try:
        typer.run(main)
    except TriptychError as error:
        raise SystemExit(f"python -m export.gates: {error}") from error
