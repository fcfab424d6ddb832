"""`triptych models`, and `triptych export --list`, which is the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from export import catalog
from triptych.commands import cli, models


@pytest.fixture
def run(repository: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setattr(models, "MODEL_REPOSITORY", repository)
    monkeypatch.setenv("COLUMNS", "300")
    return CliRunner()


def command(function: object) -> typer.Typer:
    app = typer.Typer()
    app.command()(function)  # type: ignore[type-var]
    return app


def test_every_model_that_can_be_set_is_listed_with_what_is_there(run: CliRunner):
    shown = run.invoke(command(models.models), ["--offline"])
    assert shown.exit_code == 0
    able = [entry.name for entry in catalog.load().values() if entry.role and entry.name not in catalog.companions()]
    assert [name for name in able if f" {name} " not in shown.stdout] == []
    (line,) = [line for line in shown.stdout.splitlines() if "swinv2 (chosen)" in line]
    assert line.split()[0] == "face"
    assert line.rstrip().endswith(" MB")
    assert run.invoke(command(cli.export), ["--list"]).stdout == shown.stdout
