"""A page and its figures."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.publishing import Machine, Result, goals, plain, processor


@dataclass(frozen=True)
class Figure:
    name: str
    value: float


def test_the_page_and_the_figures_hold_the_machine_and_the_command(tmp_path: Path) -> None:
    machine = replace(Machine.here(0.01), busy=0.1)
    facts = {"figures": [Figure("a", 1.5), Figure("b", float("nan"))], "by": {2.0: "two"}}
    Result("thing", "The thing", "python -m thing", machine, ["first", "second"], facts).publish(tmp_path)
    page = (tmp_path / "thing.md").read_text(encoding="utf-8")
    assert page.startswith("# The thing\n\nMade by `python -m thing`.\n\n")
    assert page.endswith("first\n\nsecond\n")
    assert "no measure" not in page
    kept = json.loads((tmp_path / "thing.json").read_text(encoding="utf-8"))
    assert kept["figures"] == [{"name": "a", "value": 1.5}, {"name": "b", "value": None}]
    assert kept["by"] == {"2.0": "two"}
    assert kept["machine"]["cores"] >= 1


def test_a_busy_machine_is_said_to_be_no_measure() -> None:
    assert "these figures are no measure" in replace(Machine.here(0.01), busy=1.5).described()


def test_the_processor_has_a_name(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n", encoding="utf-8")
    assert processor(tmp_path / "cpuinfo") == "Some CPU @ 2 GHz"


def test_goals_are_met_missed_or_not_measured() -> None:
    shown = goals([("a", "1", "2", True), ("b", "1", "2", False), ("c", "1", "-", None)])
    assert [word in shown for word in ("yes", "**no**", "not measured")] == [True] * 3
    assert plain((Figure("a", 1.0),)) == [{"name": "a", "value": 1.0}]
