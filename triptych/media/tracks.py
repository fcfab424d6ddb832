"""Which of several sound tracks is listened to: the one in which somebody speaks.

Films carry other languages, comments, music without voices; recorders a track for each microphone. A bounded part of
each track is decoded and asked for speech, and the track that its author prefers stays where there is speech in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from av.audio.layout import AudioLayout
from av.audio.stream import AudioStream
from av.stream import Disposition

from triptych.media.channels import keep
from triptych.media.container import MOST_STREAMS
from triptych.sound.likeness import likeness
from triptych_client.contract import SAMPLE_RATE_HZ

Speaks = Callable[[np.ndarray], float]
"""For how many seconds sound FP32 [samples] is speech."""

LOOK_S = 60.0
"""So many seconds of all tracks together are looked at, as long as that leaves STRETCH_S of each."""

STRETCH_S = 2.5
"""They are stretches of this length, spread over the clip: a sentence, or most of one."""

LIKE_SPEECH = 0.45
"""A stretch is like speech from here on; `benchmarks/evidence/tracks.py` tells how far that goes."""

LEAST_SPEECH_S = 0.5
LEAST_SHARE = 0.2
"""The preferred track stays where it has so many seconds of speech, and this share of what any has."""

TITLE_CHARACTERS, LANGUAGE_CHARACTERS = 100, 16
"""What a file says of a track is cut off here: it is a stranger's."""

BESIDE = (
    Disposition.comment
    | Disposition.visual_impaired
    | Disposition.karaoke
    | Disposition.clean_effects
    | Disposition.lyrics
)
"""Tracks that go with another one: comments, descriptions of the picture, music without voices."""

NO_LANGUAGE = "zxx"
"""ISO 639-2 for what has no language in it: music and noises."""


@dataclass(frozen=True)
class AudioTrack:
    """One sound track: its number among the streams of the file, its name and language, and how many channels it has.

    `heard`: "" for a track that is not listened to, else ALL_CHANNELS or INVERTED of the contract, or the name of the
    only channel that is heard.
    """

    index: int
    title: str
    language: str
    channels: int
    heard: str = ""

    @classmethod
    def of(cls, stream: AudioStream) -> AudioTrack:
        """Return what a file says of a stream."""
        channels = _count_channels(stream.codec_context.layout) if stream.codec_context else 0
        return cls(stream.index, _title(stream), _language(stream), channels).plain()

    def plain(self) -> AudioTrack:
        """Return the same without what moves a cursor, and with texts that are not too long."""
        title, language = _plain(self.title, TITLE_CHARACTERS), _plain(self.language, LANGUAGE_CHARACTERS)
        return replace(self, title=title, language=language, heard=_plain(self.heard, LANGUAGE_CHARACTERS))

    def row(self) -> tuple[str, ...]:
        """Return its row of AUDIO_TRACKS: contract.AUDIO_TRACK_FIELDS."""
        return str(self.index), self.title, self.language, str(self.channels), self.heard


def _language(stream: AudioStream) -> str:
    """Return a track's language as the file has it; MP4 must have one, and says "und" for none."""
    return "" if stream.language in (None, "und") else stream.language


def _count_channels(layout: AudioLayout) -> int:
    keep(layout)
    return layout.nb_channels


def _title(stream: AudioStream) -> str:
    """Return a track's name; MP4 keeps it where most programs write their own ("SoundHandler")."""
    name = stream.metadata.get("title") or stream.metadata.get("handler_name", "")
    return "" if "handler" in name.lower() else name


def _plain(text: str, most: int) -> str:
    return "".join(character for character in text if character.isprintable())[:most]


def preferred(streams: Sequence[AudioStream]) -> list[AudioStream]:
    """Return the streams that can be decoded, the one first that the file's author would play."""
    decodable = [stream for stream in streams if stream.codec_context is not None]
    return sorted(decodable, key=_rank)


def _rank(stream: AudioStream) -> tuple[bool, bool, bool, int]:
    return (
        not stream.disposition & Disposition.default,
        bool(stream.disposition & BESIDE),
        stream.language == NO_LANGUAGE,
        stream.index,
    )


def choose(speech_s: Sequence[float]) -> int:
    """Return which of the tracks is listened to, from the seconds of speech in each, the preferred one first."""
    most = max(speech_s)
    if most < LEAST_SPEECH_S:
        return 0
    return next(i for i, seconds in enumerate(speech_s) if seconds >= max(LEAST_SPEECH_S, LEAST_SHARE * most))


def stretches(tracks: int, seconds: float) -> list[tuple[float, float]]:
    """Return the stretches, start and end in seconds, that are looked at in a clip with so many tracks."""
    count = max(1, int(LOOK_S / tracks / STRETCH_S))
    if count * STRETCH_S >= seconds:
        return [(0.0, seconds)]
    starts = (np.arange(count) + 0.5) * seconds / count - STRETCH_S / 2
    return [(start, start + STRETCH_S) for start in starts.clip(0).tolist()]


def most_looked_at_s() -> float:
    """Return how many seconds of sound are looked at in one file at most."""
    return max(LOOK_S, MOST_STREAMS * STRETCH_S)


def sounds_spoken_s(pcm: np.ndarray) -> float:
    """Return for how many seconds sound FP32 [samples] is like speech: what is asked where no detector is at hand."""
    size = round(STRETCH_S * SAMPLE_RATE_HZ)
    pieces = [pcm[start : start + size] for start in range(0, len(pcm), size)]
    return sum(len(piece) for piece in pieces if likeness(piece) >= LIKE_SPEECH) / SAMPLE_RATE_HZ
