"""The bounded form of `make fuzz`: a few hundred damaged files and the quick bombs, read as the steps read them."""

from __future__ import annotations

import math
import signal

import pytest

from benchmarks.fuzz import bare, bombs, cases, seeds
from benchmarks.fuzz.__main__ import run
from benchmarks.fuzz.outcome import ANSWERED, DIED, OVER_MEMORY, OVER_TIME, REFUSED, Outcome
from benchmarks.fuzz.steps import Steps

INPUTS = 300
PEAK_BYTES = 64 << 20
"""The limit of a clip: a bomb above it would be refused for its size, and show nothing."""


def test_no_damaged_file_brings_down_the_steps() -> None:
    corpus = cases.Corpus.of(seeds.made())
    quick = [case for case in cases.bombs() if case.seed not in bombs.SLOW]
    results = list(run(corpus, [*quick, *corpus.mutated(INPUTS)], workers=2))
    assert [(case.name, outcome) for case, outcome in results if outcome.is_finding] == []
    assert {ANSWERED, REFUSED} <= {outcome.kind for _, outcome in results}, "they are read, and some are refused"


@pytest.mark.parametrize("form", seeds.FORMS, ids=lambda form: form.name)
def test_every_seed_is_a_clip_that_can_be_answered(form: seeds.Form) -> None:
    container, codecs = seeds.contents(seeds.encode(form))
    assert container != "unreadable"
    assert len(codecs) == bool(form.video) + bool(form.audio)


@pytest.mark.parametrize("name", bombs.BOMBS)
def test_every_bomb_is_small_enough_to_be_let_in(name: str) -> None:
    assert 0 < len(bombs.BOMBS[name]()) < PEAK_BYTES


def test_what_kills_the_steps_is_a_finding_and_the_next_input_is_read() -> None:
    clip = seeds.encode(seeds.FORMS[0])
    with Steps() as steps:
        assert steps.examine(clip).kind == ANSWERED
        steps._process.kill()
        assert (died := steps.examine(clip)).kind == DIED
        assert died.is_finding
        assert steps.examine(clip).kind == ANSWERED


def test_the_media_code_alone_is_measured() -> None:
    outcome = bare.examine(seeds.encode(seeds.FORMS[0]))
    assert (outcome.kind, outcome.stage) == (ANSWERED, bare.AUDIO)
    assert 0 < outcome.peak_mib < bare.MEMORY_BOUND_MIB
    assert bare.examine(b"not a media file").kind == REFUSED


@pytest.mark.parametrize(
    ("seconds", "peak_mib", "kind"),
    [
        (1.0, 100.0, ANSWERED),
        (bare.TIME_BOUND_S + 1, 100.0, OVER_TIME),
        (1.0, bare.MEMORY_BOUND_MIB + 1, OVER_MEMORY),
        (1.0, math.nan, ANSWERED),
    ],
)
def test_an_answer_over_a_bound_is_a_finding(seconds: float, peak_mib: float, kind: str) -> None:
    judged = bare.judged(Outcome(ANSWERED, "", bare.AUDIO, seconds, peak_mib))
    assert judged.kind == kind
    assert judged.is_finding == (kind != ANSWERED)


def test_a_death_is_named_by_its_signal() -> None:
    aborted = bare.death(-signal.SIGABRT, bare.AUDIO, 0.1)
    assert (aborted.kind, aborted.words, aborted.stage) == (DIED, "SIGABRT", bare.AUDIO)
    assert bare.death(-signal.SIGXCPU, bare.VIDEO, 9.0).kind == OVER_TIME
    assert bare.death(3, bare.PROBE, 0.1).words == "exit code 3"
