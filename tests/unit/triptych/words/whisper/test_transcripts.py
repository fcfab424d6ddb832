"""Tokens -> utterances -> tensors, with decodings written here and a vocabulary of a few words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from triptych.words.whisper.decoding import Decoding
from triptych.words.whisper.passes import Pass
from triptych.words.whisper.pieces import Pieces
from triptych.words.whisper.rules import Rules
from triptych.words.whisper.transcripts import (
    UNHEARD,
    Segment,
    WindowTranscript,
    tensors,
    transcript,
    without_repeats,
)
from triptych_client import contract

RULES = Rules(1, 0, 2, 3, 1000, 0.02, 50, True, {"en": 4, "ru": 5}, {"transcribe": 6, "translate": 7}, [], [])
WORDS = {"where": 10, "is": 11, "he": 12, "no": 13}
TOKENIZER = Tokenizer(WordLevel(WORDS, unk_token="no"))
SOUND = Pieces(np.array([[40.0, 60.0]]))


def at(seconds: float) -> int:
    return RULES.timestamp_begin + round(seconds / RULES.timestamp_step_s)


def heard(*tokens: int, offset_s: float = 0.0, end_s: float = 20.0, logprob: float = -0.5, **signs: bool) -> Pass:
    return Pass(offset_s, end_s, Decoding("en", 0.9, 0.1, tokens, (logprob,) * (len(tokens) + 1)), **signs)


def spans(found: WindowTranscript) -> list[tuple[float, float, str]]:
    return [(round(item.start_s, 3), round(item.end_s, 3), item.text) for item in found.segments]


def test_pairs_of_timestamps_make_utterances():
    found = transcript([heard(at(0), 10, 11, 12, at(2), at(2.5), 13, at(4))], SOUND, RULES, TOKENIZER)
    assert spans(found) == [(40.0, 42.0, "where is he"), (42.5, 44.0, "no")]
    assert found.language == "en"
    assert found.segments[0].logprob == pytest.approx(-0.5)


def test_logprob_is_that_of_the_words_alone():
    decoding = Decoding("en", 0.9, 0.1, (at(0), 10, 11, at(2)), (-9.0, -0.2, -0.4, -9.0, -9.0))
    (utterance,) = transcript([Pass(0.0, 20.0, decoding)], SOUND, RULES, TOKENIZER).segments
    assert utterance.logprob == pytest.approx(-0.3)


def test_without_a_closing_timestamp_an_utterance_ends_with_the_sound():
    assert spans(transcript([heard(at(1), 13)], SOUND, RULES, TOKENIZER)) == [(41.0, 60.0, "no")]


def test_times_stay_within_the_sound_and_words_of_the_padding_are_left_out():
    found = transcript([heard(at(19), 13, at(25), at(25), 10, at(29))], SOUND, RULES, TOKENIZER)
    assert spans(found) == [(59.0, 60.0, "no")]
    assert found.tokens == (at(19), 13, at(25), at(25), 10, at(29))


def test_a_second_pass_counts_from_where_it_began():
    found = transcript(
        [heard(at(0), 10, at(12), at(12)), heard(at(0), 13, at(3), offset_s=12)], SOUND, RULES, TOKENIZER
    )
    assert spans(found) == [(40.0, 52.0, "where"), (52.0, 55.0, "no")]
    assert found.tokens == (at(0), 10, at(12), at(12), at(0), 13, at(3))


def test_a_silent_pass_says_nothing_and_has_no_language():
    found = transcript([heard(at(0), 13, at(3), silent=True)], SOUND, RULES, TOKENIZER)
    assert found.segments == ()
    assert found.language == ""
    assert found.no_speech_probability == 0.1


@given(st.lists(st.one_of(st.sampled_from([10, 11, 12, 13]), st.integers(1000, 2500)), max_size=20))
def test_any_tokens_make_utterances_within_the_sound(tokens):
    for utterance in transcript([heard(*tokens)], SOUND, RULES, TOKENIZER).segments:
        assert 40 <= utterance.start_s < 60
        assert utterance.end_s <= 60
        assert utterance.text


def test_a_loop_is_cut_and_what_is_said_often_stays():
    often = [at(0), *[13] * 12, at(15)]
    looped = transcript([heard(*often, looped=True)], SOUND, RULES, TOKENIZER)
    assert spans(looped) == [(40.0, 55.0, "no no")]
    said = transcript([heard(*often)], SOUND, RULES, TOKENIZER)
    assert spans(said) == [(40.0, 55.0, " ".join(["no"] * 12))]


def test_words_after_a_pause_that_was_left_out_have_their_own_time():
    pieces = Pieces(np.array([[12.0, 15.0], [40.0, 42.0]]))
    found = transcript([heard(at(0), 10, at(3), at(3), 13, at(5), end_s=5.0)], pieces, RULES, TOKENIZER)
    assert spans(found) == [(12.0, 15.0, "where"), (40.0, 42.0, "no")]


def test_repeats_are_kept_once():
    said = [
        Segment(start, start + 1, text, -0.1, "en", 0.9)
        for start, text in enumerate(("Ha-ha-ha-ha! Oh.", "Yes.", "Yes.", "No."))
    ]
    assert [(item.start_s, item.text) for item in without_repeats(said)] == [(0, "Ha-ha! Oh."), (1, "Yes."), (3, "No.")]


def test_tensors_are_those_of_the_contract_padded_to_the_longest():
    segments = Segment(0, 1, "Да.", -0.1, "ru", 0.9), Segment(1, 2, "No.", -0.2, "en", 0.8)
    long = WindowTranscript(segments, 0.1, (1000, 10, 1050))
    outputs = tensors([long, WindowTranscript()])
    assert list(outputs) == [tensor.name for tensor in contract.STEPS["whisper"].outputs]
    assert outputs["UTTERANCES"].tolist() == [["Да.".encode(), b"No."], [b"", b""]]
    np.testing.assert_array_equal(outputs["UTTERANCE_SPANS"][0], [[0, 1], [1, 2]])
    assert np.isnan(outputs["UTTERANCE_SPANS"][1]).all()
    np.testing.assert_array_equal(outputs["UTTERANCE_LOGPROBS"], np.float32([[-0.1, -0.2], [np.nan, np.nan]]))
    assert outputs["LANGUAGES"].tolist() == [[b"ru", b"en"], [b"", b""]]
    np.testing.assert_array_equal(outputs["LANGUAGE_PROBS"], np.float32([[0.9, 0.8], [np.nan, np.nan]]))
    np.testing.assert_array_equal(outputs["NO_SPEECH_PROBS"], np.float32([[0.1], [np.nan]]))
    assert outputs["TOKENS"].tolist() == [[1000, 10, 1050], [-1, -1, -1]]


def test_what_could_not_be_recognised_says_so():
    assert tensors([UNHEARD])["LANGUAGES"].tolist() == [[contract.UNKNOWN_LANGUAGE.encode()]]


def test_nothing_said_is_one_padded_place():
    outputs = tensors([WindowTranscript()])
    shapes = {name: array.shape for name, array in outputs.items()}
    assert shapes == {
        "UTTERANCES": (1, 1),
        "UTTERANCE_SPANS": (1, 1, 2),
        "UTTERANCE_LOGPROBS": (1, 1),
        "LANGUAGES": (1, 1),
        "LANGUAGE_PROBS": (1, 1),
        "NO_SPEECH_PROBS": (1, 1),
        "TOKENS": (1, 1),
    }
