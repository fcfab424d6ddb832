"""The people of a clip: whom the answer is about and why, and what each face expresses over time.

Somebody counts as the speaker whose mouth moves with the speech, where that can be told; else who is in the picture
while speech is heard. A face that never moves, as on a poster or a screen, does not come before one that does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from triptych.answer import evidence
from triptych.answer.evidence import ABSENT, ChannelInput, Evidence
from triptych.answer.fusion import fuse
from triptych.answer.parameters import Parameters
from triptych.answer.timeline import timeline
from triptych_client.contract import CHANNELS, EMOTIONS

MORE_SPEECH = 1.5
"""A person is chosen by speech when there is so many times more of it than for the next."""

ALIVE = 0.005
"""A mouth that moves less on average is a picture's: 0.002 at most of photographs, also filmed by hand, and 0.013 at
least of people who speak (benchmarks/evidence/people.py)."""

TALKS = 0.01
"""A mouth that moves by so much more while speech is heard than else moves with it."""

FEWEST_MOVEMENTS = 3
"""From fewer nothing is told."""


@dataclass(frozen=True)
class FaceRows:
    """The m faces of a clip: times [m], tracks [m], boxes [m, 4], scores [m], logits [m, 7]; times of n frames.

    stands_for [m]: for how many faces of its person each one stands, where a clip has too many to analyse. mouths [m]:
    how much the mouth has moved since the person's face before (`triptych.face.mouth`), NaN where there is none.
    visible [m]: how much of the face is seen (`triptych.face.hidden`).
    """

    frame_times: np.ndarray
    times: np.ndarray
    tracks: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    logits: np.ndarray
    stands_for: np.ndarray
    mouths: np.ndarray
    visible: np.ndarray

    @property
    def count(self) -> int:
        """Return how many tracks there are; they are numbered without gaps."""
        return int(self.tracks.max(initial=-1)) + 1

    def sizes(self) -> np.ndarray:
        """Return each face's area times its score, for all that it stands for [m]."""
        width, height = (self.boxes[:, 2:] - self.boxes[:, :2]).clip(min=0).T
        return width * height * self.scores * self.stands_for

    def of(self, channel: ChannelInput, track: int) -> Evidence:
        """Return one person's face channel; nobody's for track -1."""
        one = self.tracks == track
        seen_in = int(self.stands_for[one].sum())
        rows = (self.times[one], self.sizes()[one], self.logits[one])
        return evidence.face(channel, self.frame_times, *rows, seen_in, self.visible[one])

    def spans(self, track: int) -> np.ndarray:
        """Return when a person is seen [k, 2]: half a step of the sampled frames around each face it stands for."""
        sampled = self.frame_times[np.isfinite(self.frame_times)]
        half_step_s = np.median(np.diff(sampled)) / 2 if len(sampled) > 1 else 0.0
        one = self.tracks == track
        times, around_s = self.times[one], half_step_s * self.stands_for[one]
        return evidence.merged(np.stack([times - around_s, times + around_s], axis=1))

    def movements(self, track: int) -> tuple[np.ndarray, np.ndarray]:
        """Return between which times a person's mouth was compared [k, 2], and how much it moved [k]."""
        one = self.tracks == track
        times, moved = self.times[one], self.mouths[one]
        known = np.isfinite(moved[1:])
        return np.stack([times[:-1], times[1:]], axis=1)[known], moved[1:][known]

    def is_still(self, track: int) -> bool:
        """Whether a face never moves."""
        _, moved = self.movements(track)
        return len(moved) >= FEWEST_MOVEMENTS and float(moved.mean()) < ALIVE


@dataclass(frozen=True)
class MainTrack:
    """The track that the answer is about (-1: nobody), and why: a reason of contract.TRACK_REASONS."""

    track: int
    reason: str


def choose(faces: FaceRows, speech: np.ndarray) -> MainTrack:
    """Return whom the answer is about: who speaks, by mouth or by presence in the `speech` [u, 2]; else who is largest.

    Faces that never move are left out, unless none does.
    """
    if faces.count <= 1:
        return MainTrack(faces.count - 1, "only" if faces.count else "")
    alive = np.array([not faces.is_still(track) for track in range(faces.count)])
    alive = alive if alive.any() else ~alive
    seconds = np.where(alive, speech_seconds(faces, speech), 0)
    spoken = seconds * [talking(faces, track, speech) for track in range(faces.count)]
    for measure, reason in ((spoken, "mouth"), (alive * 1.0, "moves"), (seconds, "speech")):
        most, next_most = np.sort(measure)[::-1][:2]
        if most > MORE_SPEECH * next_most:
            return MainTrack(int(measure.argmax()), reason)
    sizes = np.bincount(faces.tracks, weights=faces.sizes(), minlength=faces.count)
    return MainTrack(int(np.where(alive, sizes, -1).argmax()), "size")


def talking(faces: FaceRows, track: int, speech: np.ndarray) -> float:
    """Return how much more a person's mouth moves in the speech [u, 2] than outside; 0 where that is not known."""
    spans, moved = faces.movements(track)
    inside = evidence.overlap(spans, speech) > (spans[:, 1] - spans[:, 0]) / 2
    if inside.sum() < FEWEST_MOVEMENTS:
        return 0.0
    outside = moved[~inside].mean() if (~inside).sum() >= FEWEST_MOVEMENTS else 0.0
    more = float(moved[inside].mean() - outside)
    return more if more >= TALKS else 0.0


def speech_seconds(faces: FaceRows, speech: np.ndarray) -> np.ndarray:
    """Return for how many seconds of the speech [u, 2] each person is seen: [tracks]."""
    return np.array([evidence.overlap(faces.spans(track), speech).sum() for track in range(faces.count)])


@dataclass(frozen=True)
class People:
    """What the j people's faces express: spans [j, 2], overall [j, 7] and in each window [j, t, 7]; NaN: not seen."""

    spans: np.ndarray
    probabilities: np.ndarray
    timelines: np.ndarray


def describe(faces: FaceRows, channel: ChannelInput, parameters: Parameters, windows: np.ndarray) -> People:
    """Return what each person's face expresses in the clip and in `windows` [t, 2], by the face channel alone."""
    column, tracks = CHANNELS.index(channel.name), range(faces.count)
    alone = [dict.fromkeys(CHANNELS, ABSENT) | {channel.name: faces.of(channel, track)} for track in tracks]
    seen = [faces.times[faces.tracks == track] for track in tracks]
    over_time = [timeline(one, parameters, windows).channels[:, column] for one in alone]
    return People(
        spans=np.array([[times.min(), times.max()] for times in seen]).reshape(-1, 2),
        probabilities=np.array([fuse(one, parameters).alone[column] for one in alone]).reshape(-1, len(EMOTIONS)),
        timelines=np.array(over_time).reshape(-1, len(windows), len(EMOTIONS)),
    )
