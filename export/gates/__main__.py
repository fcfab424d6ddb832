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

MOST_FACES = 512
ELSEWHERE = {
    "whisper": "token for token against transformers in fp32 (tests/unit/triptych/words/whisper/test_parity.py), and "
    "words against real recordings (benchmarks/results/whisper_wer.md)",
    "speech_detector": "published as a graph, and served as that",
}
"""Steps whose models are held to more than numbers, or have none in PyTorch."""


def main(
    clip: Annotated[Path, typer.Option(help="A clip with a face and speech.")] = BUILD / "demo" / "demo.mp4",
    data: Annotated[Path | None, typer.Option(help="Folder with fer2013_train_val.npz: real faces.")] = None,
    step: Annotated[list[str] | None, typer.Option(help="Only this step.")] = None,
    page: Annotated[Path | None, typer.Option(help="Write the report as Markdown here.")] = None,
    repository: Annotated[Path, typer.Option(help="The model repository.")] = MODEL_REPOSITORY,
) -> None:
    """Measure, write gates.json beside each export, and say what does not pass."""
    if not clip.is_file():
        raise TriptychError(f"there is no {clip}: `triptych demo` makes one, or name a clip with a face and speech")
    gates, left_out = measured(repository, clip, data, step or [])
    report.write_beside(gates, repository)
    for gate in measure.worst_first(gates):
        said = "ok" if gate.passed else "NO"
        print(f"{said}  {gate.entry} {gate.file} {gate.precision}: {gate.what} {gate.figure:.6g} ({gate.inputs})")
    if page:
        command = f"python -m export.gates{' --data DIR' if data else ''}"
        page.write_text(report.page(gates, command, left_out), encoding="utf-8")
    raise typer.Exit(0 if all(gate.passed for gate in gates) else 1)


def measured(repository: Path, clip: Path, data: Path | None, steps: list[str]) -> tuple[list[Gate], dict[str, str]]:
    """Return every comparison of the exported models of these steps, or of all, and why others have none."""
    feeds = {step: {clip.name: tensors} for step, tensors in inputs.of_clip(clip.read_bytes(), repository).items()}
    if data:
        feeds["expression"]["FER2013 validation"] = inputs.faces(data, MOST_FACES)
    plans = [item for item in runner.plan(repository, {}, {}) if not steps or item.entry.step in steps]
    gates: list[Gate] = []
    left_out: dict[str, str] = {}
    for item in plans:
        entry = item.entry
        if entry.vacant or not entry.network:
            continue
        if entry.step not in feeds:
            left_out[entry.name] = ELSEWHERE.get(entry.step, "no network")
            continue
        made = exporter.parts(entry, runner.gather(item, CACHE))
        for name, part in made.items():
            subject = Subject(entry.step, entry.name, repository / entry.step / "1" / name)
            gates += of_part(subject, part, made.get(part.of) if isinstance(part, Derived) else None, feeds[entry.step])
    return gates, left_out


def of_part(subject: Subject, part: Part, origin: Part | None, feeds: dict[str, Feeds]) -> Iterator[Gate]:
    """Yield the comparisons of a file of a model: a graph of a network, one made of such a one, or one by hand."""
    network = origin if isinstance(part, Derived) else part
    for name, tensors in feeds.items():
        if isinstance(network, Served):
            yield measure.against_network(subject, network, name, tensors)
        if isinstance(part, (Served, GraphProto)):
            for precision in (Precision.FP16, Precision.BF16):
                yield from measure.in_low_precision(subject, precision, name, tensors)


if __name__ == "__main__":
    try:
        typer.run(main)
    except TriptychError as error:
        raise SystemExit(f"python -m export.gates: {error}") from error
