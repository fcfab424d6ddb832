"""How often a window is decoded, and from where, with decodings written here."""

from __future__ import annotations

import numpy as np
import pytest

from triptych.words.whisper.decoding import MAX_NEW_TOKENS, Decoding, DecodingOptions
from triptych.words.whisper.passes import MAX_PASSES, decode_in_passes, is_loop, is_silent
from triptych.words.whisper.rules import Rules

RULES = Rules(1, 0, 2, 3, 1000, 0.02, 50, True, {"en": 4, "ru": 5}, {"transcribe": 6, "translate": 7}, [], [])
WORD = 10
AT_ONCE = 8


def at(seconds: float) -> int:
    """The timestamp token of a time."""
    return RULES.timestamp_begin + round(seconds / RULES.timestamp_step_s)


def said(*tokens: int, no_speech: float = 0.0, logprob: float = -0.1, language: float = 0.9) -> Decoding:
    return Decoding("ru", language, no_speech, tokens, (logprob,) * (len(tokens) + 1))


class Script:
    """Answers with the given decodings in turn, one window at a time, and keeps what it was asked."""

    def __init__(self, *decodings):
        self.decodings = list(decodings)
        self.mels: list[np.ndarray] = []
        self.options: list[DecodingOptions] = []

    def __call__(self, mels, options):
        self.mels += list(mels)
        self.options += options
        return [self.decodings.pop(0) for _ in options]


def ramp() -> np.ndarray:
    """A log-mel whose frames tell where they come from."""
    return np.tile(np.arange(3000, dtype=np.float32), (1, 80, 1))


def run(script: Script, sound_s: float):
    (passes,) = decode_in_passes(script, ramp(), [sound_s], [DecodingOptions()], RULES, AT_ONCE)
    assert not script.decodings
    return passes


@pytest.mark.parametrize(
    "tokens",
    [
        (at(0), WORD, at(5)),
        (at(0), WORD, at(5), at(5), WORD, at(9)),
        (at(0), WORD),
        (at(0),),
        (),
    ],
)
def test_one_pass_is_enough(tokens):
    (only,) = run(Script(said(*tokens)), sound_s=30)
    assert (only.offset_s, only.decoding.tokens) == (0, tokens)


@pytest.mark.parametrize("unfinished", [(), (WORD, WORD)])
def test_the_next_pass_starts_at_the_last_pair(unfinished):
    first = (at(0), WORD, at(8), at(8), WORD, at(20), at(20.4))
    script = Script(said(*first, *unfinished), said(at(0), WORD, at(9)))
    passes = run(script, sound_s=29)
    assert [item.offset_s for item in passes] == [0, 20]
    assert passes[0].decoding.tokens == first
    assert len(passes[0].decoding.logprobs) == len(first)
    np.testing.assert_array_equal(script.mels[1][:, :1000], ramp()[0, :, 2000:])
    assert not script.mels[1][:, 1000:].any()
    assert [option.language for option in script.options] == [None, "ru"], "the language stays that of the first pass"


@pytest.mark.parametrize(("end_s", "sound_s"), [(20.0, 20.5), (0.5, 20.0)])
def test_no_pass_for_little_sound_or_after_little_progress(end_s, sound_s):
    tokens = (at(0), WORD, at(end_s), at(end_s), WORD)
    (only,) = run(Script(said(*tokens)), sound_s)
    assert only.decoding.tokens == tokens, "the unfinished words stay"


def test_silence_is_skipped_to_its_end():
    (only,) = run(Script(said(at(0), WORD, at(5), at(5), no_speech=0.9, logprob=-2.0)), sound_s=30)
    assert only.silent


def test_passes_are_bounded():
    again = [said(at(0), WORD, at(2), at(2)) for _ in range(MAX_PASSES)]
    assert [item.offset_s for item in run(Script(*again), sound_s=30)] == [2 * number for number in range(MAX_PASSES)]


def test_a_window_that_fails_leaves_the_others():
    script = Script(None, said(at(0), WORD, at(5)))
    failed, heard = decode_in_passes(
        script, np.repeat(ramp(), 2, axis=0), [30, 30], [DecodingOptions(), DecodingOptions()], RULES, AT_ONCE
    )
    assert failed == []
    assert len(heard) == 1


@pytest.mark.parametrize(
    ("no_speech", "logprob", "silent"),
    [(0.7, -1.5, True), (0.4, -1.0, True), (0.7, -0.5, False), (0.1, -1.5, False), (0.0, 0.0, False)],
)
def test_silence_takes_both_signs(no_speech, logprob, silent):
    assert is_silent(said(at(0), WORD, at(1), no_speech=no_speech, logprob=logprob)) is silent


HELP = (50, 51, 52)
"""What is said again and again, as tokens."""
LOOPING = said(at(0), *(HELP * 80)[: MAX_NEW_TOKENS - 1])


def with_pause(at_s: float) -> np.ndarray:
    """A log-mel that is loud but for half a second."""
    mel = np.ones((1, 80, 3000), np.float32)
    mel[:, :, round(100 * at_s) - 25 : round(100 * at_s) + 25] = -1
    return mel


@pytest.mark.parametrize(
    ("tokens", "seconds", "loops"),
    [
        (LOOPING.tokens, 14.0, True),
        ((at(0), *HELP * 30, at(5)), 5.0, True),
        ((at(0), *HELP * 12, at(15)), 15.0, False),
        ((at(0), *range(100, 180), at(5)), 5.0, False),
        ((at(0),), 5.0, False),
    ],
    ids=["to the last token", "too fast", "said twelve times", "fast, nothing twice", "nothing"],
)
def test_a_loop_repeats_more_than_can_be_said(tokens: tuple[int, ...], seconds: float, loops: bool):
    assert is_loop(said(*tokens), seconds, RULES) is loops


def test_a_window_that_loops_is_halved_in_its_pause_and_heard_again():
    script = Script(LOOPING, said(at(0), *HELP * 2, at(5)), said(at(0), *HELP * 3, at(6)))
    (passes,) = decode_in_passes(script, with_pause(6.0), [14.0], [DecodingOptions()], RULES, AT_ONCE)
    assert [(item.offset_s, item.end_s) for item in passes] == [(0, pytest.approx(6, abs=0.2)), (passes[0].end_s, 14)]
    assert not any(item.looped for item in passes)
    assert not script.mels[1][:, round(100 * passes[0].end_s) :].any(), "the first half ends in the pause"
    assert [option.language for option in script.options] == [None, "ru", "ru"]


def test_a_short_loop_is_marked():
    (only,) = run(Script(LOOPING), sound_s=2.0)
    assert only.looped


def test_loops_in_loops_are_bounded():
    script = Script(*[LOOPING] * 99)
    (passes,) = decode_in_passes(script, ramp(), [30], [DecodingOptions()], RULES, AT_ONCE)
    assert len(script.mels) <= MAX_PASSES
    assert all(item.looped for item in passes)
    assert passes[0].offset_s == 0
    assert passes[-1].end_s == 30
    assert [item.end_s for item in passes[:-1]] == [item.offset_s for item in passes[1:]], "nothing is left out"


def test_a_window_of_two_languages_is_cut_in_the_pause_and_each_decoded_in_its_own():
    two = Decoding("", 0.5, 0.1, (), (), turns=((0.0, "ru"), (7.0, "en")))
    script = Script(two, said(at(0), WORD, at(5)), said(at(0), WORD, at(6)))
    (passes,) = decode_in_passes(script, with_pause(6.4), [14.0], [DecodingOptions()], RULES, AT_ONCE)
    assert [item.offset_s for item in passes] == [0, pytest.approx(6.4, abs=0.2)]
    assert [option.language for option in script.options] == [None, "ru", "en"]


@pytest.mark.parametrize(
    ("no_speech", "language", "looped", "silent"),
    [(0.3, 0.05, False, True), (0.3, 0.9, True, True), (0.3, 0.9, False, False), (0.1, 0.05, True, False)],
    ids=["laughter in no language", "a loop", "speech", "whatever, but speech"],
)
def test_likely_words_of_no_speech_have_other_signs(no_speech: float, language: float, looped: bool, silent: bool):
    decoding = said(at(0), WORD, at(1), no_speech=no_speech, language=language)
    assert is_silent(decoding, looped) is silent
