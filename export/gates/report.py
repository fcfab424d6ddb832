"""The report of the gates: as JSON beside each export, and as a page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from export.gates.measure import Gate, worst_first
from export.stamp import Stamp, write_json

FILE = "gates.json"
"""Beside the export; the next export of the step takes it away."""
FIELDS = [field.name for field in fields(Gate)]


def write_beside(gates: Sequence[Gate], repository: Path) -> None:
    """Write what was measured of each step's model beside it, with the sha256 of what it was measured of."""
    for step in dict.fromkeys(gate.step for gate in gates):
        folder = repository / step / "1"
        rows = [{**asdict(gate), "passed": gate.passed} for gate in gates if gate.step == step]
        write_json(folder / FILE, {"files": Stamp.read(folder).files, "gates": rows})


def read_all(repository: Path) -> list[Gate]:
    """Return what was measured of every step that has a report."""
    reports = (json.loads(path.read_text(encoding="utf-8")) for path in sorted(repository.glob(f"*/1/{FILE}")))
    return [Gate(**{key: row[key] for key in FIELDS}) for report in reports for row in report["gates"]]


def page(gates: Sequence[Gate], command: str, left_out: dict[str, str]) -> str:
    """Return a page: what does not pass, or is nearest to its limit, first."""
    verdict = f"{_verdict([gate for gate in gates if gate.decides])} {_of_bf16(gates)}".rstrip()
    rows = [_row(gate) for gate in worst_first(gates)]
    header = ("passes", "model", "file", "precision", "inputs", "what", "found", "limit")
    reasons = "\n".join(f"- `{name}`: {reason}" for name, reason in left_out.items())
    return (
        f"# Gates\nMade by `{command}`. {verdict} The nearest to its limit comes first. fp16 and bf16 are emulated: "
        "the graph in fp32, rounded wherever an engine casts.\n\n"
        f"{_table([header, *rows])}\n\nNot measured here:\n{reasons}\n"
    )


def _verdict(gates: Sequence[Gate]) -> str:
    failed = sum(not gate.passed for gate in gates)
    return f"{failed} of {len(gates)} do not pass." if failed else f"All {len(gates)} pass."


def _of_bf16(gates: Sequence[Gate]) -> str:
    failed = sum(not gate.passed for gate in gates if not gate.decides)
    return f"In bf16, which nothing takes unless asked to, {failed} do not: use fp16 there." if failed else ""


def _row(gate: Gate) -> tuple[str, ...]:
    passes = "yes" if gate.passed else "**no**"
    figure = f"{gate.figure:.7f}" if gate.what.startswith("cosine") else f"{gate.figure:.2g}"
    model = f"{gate.step}: {gate.entry}"
    return passes, model, gate.file, gate.precision, gate.inputs, gate.what, figure, f"{gate.limit:g}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])
