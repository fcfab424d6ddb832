"""The board on which a step sees that a caller has left."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from triptych.serving.door import tickets
from triptych.serving.door.tickets import COUNT, PARAMETER, VARIABLE, Tickets, has_left


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tickets]:
    """A board that this process sees as a step does."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "board"))
    tickets._board.cache_clear()
    yield Tickets(tmp_path / "board")
    tickets._board.cache_clear()


def test_a_step_sees_who_has_left(board: Tickets):
    stays, leaves = board.take(), board.take()
    board.leave(leaves)
    assert not has_left({PARAMETER: stays})
    assert has_left({PARAMETER: leaves})


def test_another_process_sees_it_too(board: Tickets):
    ticket = board.take()
    code = f"from triptych.serving.door.tickets import has_left; print(has_left({{{PARAMETER!r}: {ticket}}}))"
    ask = [sys.executable, "-c", code]
    assert subprocess.run(ask, capture_output=True, text=True, check=True).stdout == "False\n"
    board.leave(ticket)
    assert subprocess.run(ask, capture_output=True, text=True, check=True).stdout == "True\n"


def test_a_ticket_that_comes_back_is_a_new_caller_s(board: Tickets):
    ticket = board.take()
    board.leave(ticket)
    board.give_back(ticket)
    assert ticket in [board.take() for _ in range(COUNT)]
    assert not has_left({PARAMETER: ticket})


def test_no_ticket_is_given_twice(board: Tickets):
    assert len({board.take() for _ in range(COUNT)}) == COUNT
    with pytest.raises(IndexError):
        board.take()


@pytest.mark.parametrize("value", [None, "7", -1, COUNT, 1.0, 1 << 62])
def test_what_is_no_ticket_has_not_left(board: Tickets, value: object):
    for ticket in range(COUNT):
        board.leave(ticket)
    assert not has_left({PARAMETER: value})


def test_without_a_board_nobody_leaves(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    tickets._board.cache_clear()
    assert not has_left({PARAMETER: 0})
