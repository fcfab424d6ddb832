"""Of several sound tracks, the one is listened to in which somebody speaks."""

from __future__ import annotations

import numpy as np
import pytest

from samples import clips
from triptych.media import audio, tracks
from triptych.media.container import MOST_STREAMS
from triptych.media.limits import Limits

SPEECH = clips.syllables(4.0)[None]
NOISE = clips.steady(4.0, 0.2)[None]
NOTHING = np.zeros_like(SPEECH)


def heard(sound: audio.Audio) -> list[int]:
    return [number for number, track in enumerate(sound.tracks) if track.heard]


def is_speech(sound: audio.Audio, speech: np.ndarray = SPEECH[0]) -> bool:
    return bool(np.corrcoef(sound.pcm[: len(speech)], speech)[0, 1] > 0.99)


@pytest.mark.parametrize("others", [[NOTHING], [NOISE], [NOTHING, NOISE], [NOISE, NOTHING, NOISE]])
def test_the_track_with_speech_is_heard_wherever_it_is(others: list[np.ndarray]):
    for place in range(len(others) + 1):
        sound = audio.decode(clips.in_matroska(*others[:place], SPEECH, *others[place:]), 60)
        assert sound.status.ok
        assert heard(sound) == [place]
        assert is_speech(sound)


def test_of_several_with_speech_the_one_that_the_author_plays_is_heard():
    other = clips.syllables(4.0, 200)[None]
    facts = [{"default": ""}, {"title": "Film", "language": "rus"}]
    sound = audio.decode(clips.in_matroska(other, SPEECH, facts=facts), 60)
    assert heard(sound) == [1]
    assert is_speech(sound)
    assert [track.row() for track in sound.tracks] == [("0", "", "", "1", ""), ("1", "Film", "rus", "1", "all")]


def test_a_comment_and_music_without_words_come_after_other_tracks():
    facts = [{"default": "", "language": "zxx"}, {"default": "", "language": "eng"}]
    other = clips.syllables(4.0, 200)[None]
    assert heard(audio.decode(clips.in_matroska(other, SPEECH, facts=facts), 60)) == [1]


def test_without_speech_the_first_that_the_author_plays_is_heard():
    facts = [{"default": ""}, {"default": "yes"}]
    assert heard(audio.decode(clips.in_matroska(NOISE, NOISE / 2, facts=facts), 60)) == [1]


def test_a_detector_can_be_asked_instead():
    sound = audio.decode(clips.in_matroska(SPEECH, NOISE), 60, speaks=lambda pcm: float(pcm.std() > 0.15))
    assert heard(sound) == [1]


def test_silent_is_a_file_whose_tracks_all_are():
    sound = audio.decode(clips.in_matroska(NOTHING, NOTHING), 60)
    assert (sound.status.state, sound.status.reason, len(sound.pcm)) == ("absent", "silent", 0)
    assert len(sound.tracks) == 2


@pytest.mark.parametrize(
    ("speech_s", "chosen"),
    [([0.0, 0.0], 0), ([5.0, 20.0], 0), ([1.0, 20.0], 1), ([0.0, 0.4], 0), ([0.0, 0.6, 9.0], 2), ([0.3, 3.0], 1)],
)
def test_the_preferred_track_stays_where_there_is_speech_in_it(speech_s: list[float], chosen: int):
    assert tracks.choose(speech_s) == chosen


@pytest.mark.parametrize("count", [2, 5, 30, MOST_STREAMS])
@pytest.mark.parametrize("seconds", [0.1, 2.5, 20.0, 60.0])
def test_what_is_looked_at_is_bounded_and_spread_over_the_clip(count: int, seconds: float):
    wanted = tracks.stretches(count, seconds)
    total = sum(end - start for start, end in wanted)
    assert count * total <= tracks.most_looked_at_s() + 1e-6
    assert total >= min(seconds, tracks.STRETCH_S) - 1e-6
    assert all(start >= 0 for start, _ in wanted)
    assert np.diff([start for start, _ in wanted]).max(initial=0) <= seconds / len(wanted) + 1e-6


def test_a_sentence_late_on_the_second_track_is_found():
    late = np.zeros((1, 50 * 16_000), np.float32)
    late[:, 42 * 16_000 : 46 * 16_000] = SPEECH
    sound = audio.decode(clips.in_matroska(0.2 * clips.steady(50.0)[None], late), 60)
    assert heard(sound) == [1]


def test_many_tracks_take_no_more_memory_than_there_is():
    data = clips.in_matroska(*[NOISE[:, :16_000]] * 40, SPEECH)
    memory = np.zeros(audio.most_samples(60.0), np.float32)
    look = audio.decode_into(memory, data, Limits())
    assert isinstance(look, audio.Look)
    assert sum(look.samples) <= len(memory)
    assert look.choose(memory, tracks.sounds_spoken_s) == 40
