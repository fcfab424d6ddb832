"""Model cards: templates that ask for what they are given, tables, and no trace of a part that is left out."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest

from training import card

TEMPLATES = [
    path.relative_to(Path(card.__file__).parent).as_posix() for path in Path(card.__file__).parent.rglob("*.md")
]
CLIPS = {
    "bias": ["+0.10 anger"],
    "command": "triptych train fusion",
    "subsets": [("face", "0.7")],
    "bars": [],
    "picture": "risk.png",
    "abstain_below": 0.2857,
    "conflict_above": 0.15,
    "fit_clips": 5,
    "test_clips": 4,
}


def test_every_template_can_be_read() -> None:
    assert {"card.md", "voice/wav2vec2.md", "fusion/by_label.md", "sound/card.md"} <= set(TEMPLATES)
    for name in TEMPLATES:
        assert card.TEMPLATES.get_template(name).name == name


def test_a_part_that_is_left_out_leaves_no_gap() -> None:
    page = card.render("fusion/on_clips.md", **CLIPS)
    assert page.startswith("# Fusion: multinomial regression over face, sound, voice and words\n\n`logits = ")
    assert "\n\n5 clips of a labelled folder to fit on and 4 to test on" in page
    assert "## In noise" not in page
    assert "\n\n\n" not in page
    assert page.endswith(f"`triptych train fusion` at commit `{card.commit()}`.\n")


def test_a_number_that_is_not_given_is_an_error_and_no_blank() -> None:
    with pytest.raises(jinja2.UndefinedError, match="test_clips"):
        card.render("fusion/on_clips.md", **{name: value for name, value in CLIPS.items() if name != "test_clips"})


def test_a_table_has_a_line_for_each_row() -> None:
    lines = card.table([("a", 1), ("b", "0.50")], "name", "value").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert [cells[0], *cells[2:]] == [["name", "value"], ["a", "1"], ["b", "0.50"]]
    assert set(lines[1]) == {"|", "-"}
