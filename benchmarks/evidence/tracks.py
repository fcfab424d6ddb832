"""Is speech heard on whichever track and channel it is, and is silence only what is silent?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.bars import Bar
from benchmarks.evidence import media, sounds
from benchmarks.evidence.check import Bench, Check
from benchmarks.evidence.levels import words_of
from triptych.media import audio, tracks
from triptych.paths import MODEL_REPOSITORY
from triptych.sound import detector
from triptych_client.contract import SAMPLE_RATE_HZ

CLIPS = 11
PLACES = ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR")
"""Channels of 7.1 in FFmpeg's order."""
SURROUND = "7.1"
ROOM_DB = -60


def measure(bench: Bench) -> list[Bar]:
    """Put recordings on other tracks and channels, and compare what is understood with that of the recordings alone."""
    spoken = [item.pcm for item in sounds.with_speech(bench.data) if item.group == "read"][:CLIPS]
    others = [pcm for name, pcm in sounds.without_speech(bench.data) if len(pcm) > SAMPLE_RATE_HZ]
    return [*_choices(spoken, others), *_understood(bench, spoken, others), *_silence(spoken)]


def _choices(spoken: Sequence[np.ndarray], others: Sequence[np.ndarray]) -> list[Bar]:
    """Return how often the right track is chosen, of all pairs, by the detector and by the signs without a model."""
    asked = {
        "the speech detector": detector.beside(MODEL_REPOSITORY / "speech_detector" / "1"),
        "rhythm and pitch": tracks.sounds_spoken_s,
    }
    bars = []
    for name, speaks in asked.items():
        of_speech, of_others = [speaks(pcm) for pcm in spoken], [speaks(pcm) for pcm in others]
        found = [tracks.choose([other, speech]) for speech in of_speech for other in of_others]
        kept = [tracks.choose([one, two]) for one in of_speech for two in of_speech]
        bars += [
            Bar(f"right track of a sound without speech and one with, by {name}", _percent(found, 1), 85, "%", True),
            Bar(f"the track to be played kept, of two with speech, by {name}", _percent(kept, 0), 95, "%", True),
        ]
    return bars


def _percent(chosen: Sequence[int], wanted: int) -> float:
    return 100 * sum(one == wanted for one in chosen) / len(chosen)


def _understood(bench: Bench, spoken: Sequence[np.ndarray], others: Sequence[np.ndarray]) -> list[Bar]:
    """Return in how many clips the same words are understood, by where the speech is."""
    clips: dict[str, list[bytes]] = {"second track": [], "opposite phase": [], "one channel of eight": []}
    for number, pcm in enumerate(spoken):
        room = _room(len(pcm))
        other = np.resize(others[7 * number % len(others)], len(pcm))
        clips["second track"].append(media.matroska([other[None], pcm[None]], ["mono", "mono"]))
        clips["opposite phase"].append(media.matroska([np.stack([pcm, -pcm])], ["stereo"]))
        channels = np.stack([np.roll(room, 1000 * place) for place in range(len(PLACES))])
        channels[number % len(PLACES)] += pcm
        clips["one channel of eight"].append(media.matroska([channels], [SURROUND]))
    alone = [words_of(bench.hear(pcm)) for pcm in spoken]
    bars = []
    for where, files in clips.items():
        same = sum(words_of(bench.analyze(file)) == words for file, words in zip(files, alone))
        bars.append(
            Bar(
                f"of {len(files)} clips with speech on: {where}, those with the same words",
                same,
                len(files) - 1,
                at_least=True,
            )
        )
    return bars


def _room(samples: int) -> np.ndarray:
    return (10 ** (ROOM_DB / 20) * np.random.default_rng(0).normal(size=samples)).astype(np.float32)


def _silence(spoken: Sequence[np.ndarray]) -> list[Bar]:
    """Return how many silent clips are not called so, and how many that are not are."""
    nothing = np.zeros(3 * SAMPLE_RATE_HZ, np.float32)
    dither = np.round(2e-5 * np.random.default_rng(1).normal(size=len(nothing)) * 32768) / 32768
    silent = [nothing, dither.astype(np.float32)]
    quiet = [pcm * np.float32(10 ** (-40 / 20)) for pcm in spoken]
    reasons = [[audio.decode(media.mono(pcm), 60.0).status.reason for pcm in clips] for clips in (silent, quiet)]
    return [
        Bar("of 2 silent clips, those not called silent", sum(reason != "silent" for reason in reasons[0]), 0),
        Bar(f"of {len(quiet)} clips of speech at -40 dB, those called silent", sum(map(bool, reasons[1])), 0),
    ]


CHECK = Check("tracks and channels", measure)
