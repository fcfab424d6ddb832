"""The people of a clip: whom the answer is about and why, and what each face expresses over time.

Who speaks is not seen: somebody counts as a speaker who is in the picture while speech is heard.
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
"""A person is chosen by speech when in the picture for so many times more of it than the next; else by size."""


@dataclass(frozen=True)
class FaceRows:
    """The m faces of a clip: times [m], tracks [m], boxes [m, 4], scores [m], logits [m, 7]; times of n frames.

    stands_for [m]: for how many faces of its person each one stands, where a clip has too many to analyse.
    """

    frame_times: np.ndarray
    times: np.ndarray
    tracks: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    logits: np.ndarray
    stands_for: np.ndarray

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
        return evidence.face(channel, self.frame_times, self.times[one], self.sizes()[one], self.logits[one], seen_in)

    def spans(self, track: int) -> np.ndarray:
        """Return when a person is seen [k, 2]: half a step of the sampled frames around each face it stands for."""
        sampled = self.frame_times[np.isfinite(self.frame_times)]
        half_step_s = np.median(np.diff(sampled)) / 2 if len(sampled) > 1 else 0.0
        one = self.tracks == track
        times, around_s = self.times[one], half_step_s * self.stands_for[one]
        return evidence.merged(np.stack([times - around_s, times + around_s], axis=1))


@dataclass(frozen=True)
class MainTrack:
    """The track that the answer is about (-1: nobody), and why: a reason of contract.TRACK_REASONS."""

    track: int
    reason: str


def choose(faces: FaceRows, speech: np.ndarray) -> MainTrack:
    """Return whom the answer is about: who is in the picture for most of the `speech` [u, 2], else the largest face."""
    if faces.count <= 1:
        return MainTrack(faces.count - 1, "only" if faces.count else "")
    seconds = speech_seconds(faces, speech)
    most, next_most = np.sort(seconds)[::-1][:2]
    if most > MORE_SPEECH * next_most:
        return MainTrack(int(seconds.argmax()), "speech")
    return MainTrack(int(np.bincount(faces.tracks, weights=faces.sizes()).argmax()), "size")


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
