"""Answers as peers send and compare them, ratios, goals, and taking turns."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.peers import environment, page, services, speech
from benchmarks.peers.__main__ import measure
from benchmarks.peers.answers import Agreement, compare, packed, unpacked
from benchmarks.peers.hearing import HELD_AGAINST, OURS, Heard, Recording
from benchmarks.peers.page import SCRIPT, Measured
from benchmarks.peers.services import Burst
from triptych.errors import TriptychError

ANSWER = {
    "PROBABILITIES": np.array([0.1, 0.7, 0.2], np.float32),
    "TEXTS": np.array(["грустно".encode(), b""], dtype=object),
}
SAME = Agreement(0.0, same_label=True, same_text=True)


class Scripted:
    """A peer that answers at once, with an answer of its own."""

    def __init__(self, name: str, answer: dict[str, np.ndarray]) -> None:
        self.name, self._answer = name, answer
        self.bursts: list[tuple[int, int]] = []

    def answer(self, clip: bytes) -> dict[str, np.ndarray]:
        return self._answer

    def burst(self, clip: bytes, clips: int, callers: int) -> Burst:
        self.bursts.append((clips, callers))
        return Burst(float(clips), (1.0,) * clips)


def measured(name: str, waits: tuple[float, ...], rates: tuple[float, ...]) -> Measured:
    alone = [Burst(wait, (wait,)) for wait in waits]
    return Measured(name, SAME, alone, [Burst(1 / rate, (1.0,)) for rate in rates])


def test_an_answer_arrives_as_it_was_sent() -> None:
    arrived = unpacked(packed(ANSWER))
    assert compare(ANSWER, arrived) == SAME
    assert [bytes(text).decode() for text in arrived["TEXTS"]] == ["грустно", ""]


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({}, True),
        ({"PROBABILITIES": np.array([0.11, 0.69, 0.2])}, True),
        ({"PROBABILITIES": np.array([0.2, 0.6, 0.2])}, False),
        ({"TEXTS": np.array([b"other", b""], dtype=object)}, False),
        ({"TEXTS": np.zeros(0, dtype=object)}, False),
    ],
)
def test_other_words_and_other_probabilities_are_another_answer(changes, holds) -> None:
    assert compare(ANSWER, ANSWER | changes).holds is holds


def test_nothing_is_timed_when_an_answer_is_another_one() -> None:
    other = Scripted("other", ANSWER | {"TEXTS": np.array([b"no", b""], dtype=object)})
    with pytest.raises(TriptychError, match="other gives another answer"):
        measure([Scripted("Triptych", ANSWER), other], b"", rounds=1, clips=2)
    assert other.bursts == []


def test_every_round_asks_every_peer_and_the_script_one_clip_at_a_time_only() -> None:
    ours, script = Scripted("Triptych", ANSWER), Scripted(SCRIPT, ANSWER)
    found = measure([ours, script], b"", rounds=2, clips=16)
    assert ours.bursts == [(3, 1), (16, 8)] * 2
    assert script.bursts == [(3, 1)] * 2
    assert [len(one.alone) for one in found] == [2, 2]
    assert found[1].rates == [1.0, 1.0]


def test_ratios_are_taken_round_by_round_and_the_worst_is_told_first() -> None:
    ours = measured("Triptych", waits=(1.0, 1.0, 2.0), rates=(3.0, 3.0, 2.0))
    theirs = measured("LitServe", waits=(4.0, 2.0, 4.0), rates=(1.0, 2.0, 1.0))
    assert page.faster(ours, theirs) == page.Ratio(1.5, 2.0)
    assert page.shorter(ours, theirs) == page.Ratio(0.5, 0.5)
    script = Measured(SCRIPT, SAME, [Burst(4.0, (4.0,))] * 3)
    shown = page.held(ours, [script, theirs])
    assert shown.count("yes") == 3
    assert page.held(theirs, [script, ours]).count("**no**") == 2
    assert "0.50 in the worst round, 0.25 in the median" in shown
    assert "Ray Serve" not in page.peers_table(ours, [script, theirs], 8)


async def test_callers_take_turns_until_all_clips_are_answered() -> None:
    asked = []

    async def ask() -> None:
        asked.append(1)

    burst = await services.take_turns(ask, clips=7, callers=3)
    assert (len(asked), len(burst.waits_s)) == (7, 7)
    assert burst.a_second == pytest.approx(7 / burst.seconds)


def test_speech_is_held_by_speed_and_by_words() -> None:
    said = [Recording(np.zeros(16_000, np.float32), "en", "I am happy")]
    theirs = Heard(HELD_AGAINST, ["I am happy."], [[3.0], [2.8]])
    quick = Heard(OURS, ["i'm happy"], [[2.0], [2.0]])
    assert speech.held([quick, theirs], said)[3] is True
    assert speech.held([Heard(OURS, ["I am here"], [[1.0], [1.0]]), theirs], said)[3] is False
    assert speech.held([Heard(OURS, ["I am happy"], [[2.5], [2.5]]), theirs], said)[3] is False
    assert "1.40, 1.45" in speech.engines_table([quick, theirs], said)


def test_a_chosen_interpreter_that_is_not_there_is_named(tmp_path) -> None:
    with pytest.raises(TriptychError, match=r"no interpreter .*litserve"):
        environment.python(tmp_path / "python")
