"""The commands in the documentation exist, with the options and the models that it names."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from export import catalog
from triptych.commands.cli import parse_choices
from triptych.paths import ROOT
from triptych_client.cli import app

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
LINE = re.compile(
    r"^(?:\.venv/bin/)?"
    r"(triptych (?:train|export|models|evaluate|bench|doctor|serve|demo|bundle|swap|capacity|batch)\b[^#\n]*)",
    re.MULTILINE,
)
QUOTED = re.compile(r"`(triptych (?:train|export|models|evaluate|doctor|serve|demo) -[^`]*|triptych train [^`]*)`")
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)#:]+)\)")


EXAMPLES = set(
    re.findall(r"^\[([a-z-]+)\]$", (ROOT / "docs" / "adding-a-model.md").read_text(encoding="utf-8"), re.MULTILINE)
)
"""Entries of the catalogue that a page writes; tests/server/test_adding_a_model.py follows it."""


def commands() -> list[str]:
    """Every command line of the server's package, in blocks and in the text."""
    found: list[str] = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        found += [line for block in BLOCK.findall(text) for line in LINE.findall(block)]
        found += QUOTED.findall(text)
    return sorted({line.partition("  ")[0].strip() for line in found})


def filled_in(line: str) -> str:
    """Return the command with something in the places that the text leaves open."""
    line = re.sub(
        r"(\w+)=NAME$", lambda found: f"{found[1]}={catalog.fitting(catalog.step_of(found[1]))[0].name}", line
    )
    return re.sub("--init$", "--init dir:PATH", line.replace("CHANNEL", "face"))


@pytest.mark.parametrize("line", commands())
def test_a_command_is_understood(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "DIR").mkdir()
    command = typer.main.get_command(app)
    name, *arguments = shlex.split(filled_in(line))[1:]
    found = command.get_command(None, name)  # type: ignore[attr-defined]
    if name == "train":
        name, *arguments = arguments
        found = found.get_command(None, name)
        required = {"--data", "--out"} - set(arguments)
        arguments += [part for option in sorted(required) for part in (option, "DIR")]
    assert found is not None
    options = found.make_context(name, arguments).params
    if options.get("choices"):
        asked = parse_choices(options["choices"], "")
        choices = {slot: name for slot, name in asked.items() if name not in EXAMPLES}
        assert {entry.name for entry in catalog.choose(choices).values()} >= set(choices.values())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_link_leads_somewhere(page: Path):
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []
