"""What a step and a decoder say to each other: one task, one reply, each one packet of JSON on a socket.

A decoder that a clip has taken over can say anything. So a reply has a largest length, is no pickle, and every number
and text in it is checked: what does not fit is a HostileReplyError.
"""

from __future__ import annotations

import socket
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta, Struct

from triptych.answer.status import Status
from triptych.media.container import MOST_STREAMS
from triptych.media.limits import Limits
from triptych.media.pictures import MAX_SIDE_PX
from triptych.media.tracks import AudioTrack
from triptych_client.contract import STEPS

LARGEST = 1 << 16
"""Bytes of a message at most: a plan of 128 frames takes 4,000, the names of a hundred tracks up to 60,000."""

MOST_FRAMES = STEPS["face_detector"].max_batch_size


class HostileReplyError(Exception):
    """A decoder said what no sound decoder says."""


class ProbeTask(Struct, frozen=True, tag="probe"):
    """Probe a clip of so many bytes."""

    size: int
    limits: Limits


class VideoTask(Struct, frozen=True, tag="video"):
    """Decode the frames at some times, in seconds, into the memory for results."""

    size: int
    limits: Limits
    planned_times: list[float]


class SoundTask(Struct, frozen=True, tag="sound"):
    """Decode the sound into the memory for results: of this stream, or a part of each track where none is named."""

    size: int
    limits: Limits
    track: int | None = None


class ConverterTask(Struct, frozen=True, tag="converter"):
    """Find out how NVDEC's pictures of a clip are to be scaled and turned."""

    size: int
    limits: Limits


Task: TypeAlias = "ProbeTask | VideoTask | SoundTask | ConverterTask"

Side = Annotated[int, Meta(ge=1, le=MAX_SIDE_PX)]
Number = Annotated[float, Meta(ge=-1e9, le=1e9)]
Count = Annotated[int, Meta(ge=0, le=1 << 31)]
Text = Annotated[str, Meta(max_length=100)]


class Reply(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """What a decoder answers."""


class Refusal(Reply, frozen=True):
    """The clip cannot be analysed, in words."""

    words: Annotated[str, Meta(max_length=1000)]


class Facts(Reply, frozen=True):
    """Of a clip: `triptych.media.probe.Probe`."""

    duration_s: Number
    width_px: Count
    height_px: Count
    frame_rate_hz: Annotated[float, Meta(ge=0, le=1e12)]
    has_video: bool
    has_audio: bool
    planned_indices: Annotated[list[Count], Meta(max_length=MOST_FRAMES)]
    planned_times: Annotated[list[Number], Meta(max_length=MOST_FRAMES)]


class StreamState(Struct, frozen=True, forbid_unknown_fields=True):
    """What became of a stream: `Status`."""

    state: Text
    reason: Text
    value: Text

    @classmethod
    def of(cls, status: Status) -> StreamState:
        """Return the message that says a status."""
        return cls(status.state, status.reason, status.value)

    def status(self) -> Status:
        """Return the status; HostileReplyError for one that the contract lacks."""
        try:
            return Status(self.state, self.reason, self.value)
        except ValueError as error:
            raise HostileReplyError(str(error)) from error


class Pictures(Reply, frozen=True):
    """Of a video: UINT8 [times, height, width, 3] are in the memory for results."""

    height: Side
    width: Side
    times: Annotated[list[Number], Meta(max_length=MOST_FRAMES)]
    stream: StreamState


class Track(Struct, frozen=True, forbid_unknown_fields=True):
    """What a file says of a sound track: `AudioTrack`."""

    index: Count
    title: Text
    language: Text
    channels: Count
    heard: Text

    @classmethod
    def of(cls, track: AudioTrack) -> Track:
        """Return the message that says what is known of a track."""
        return cls(track.index, track.title, track.language, track.channels, track.heard)

    def track(self) -> AudioTrack:
        """Return what is known of the track, as harmless as it was to be."""
        return AudioTrack(self.index, self.title, self.language, self.channels, self.heard).plain()


class Sound(Reply, frozen=True):
    """Of a sound track: FP32 [samples] are in the memory for results."""

    samples: Count
    stream: StreamState
    tracks: Annotated[list[Track], Meta(max_length=MOST_STREAMS)]


class Look(Reply, frozen=True):
    """Of several sound tracks: a part of each, FP32, is in the memory for results, `triptych.media.audio.Look`."""

    indices: Annotated[list[Count], Meta(min_length=2, max_length=MOST_STREAMS)]
    samples: Annotated[list[Count], Meta(min_length=2, max_length=MOST_STREAMS)]


class Conversion(Reply, frozen=True):
    """How pictures become upright ones of a size: `triptych.media.pictures.Converter`."""

    width: Side
    height: Side
    transposed: bool
    flip_x: bool
    flip_y: bool


class NoConversion(Reply, frozen=True):
    """The clip is none for NVDEC."""


AnyReply: TypeAlias = "Refusal | Facts | Pictures | Sound | Look | Conversion | NoConversion"

_ENCODER = msgspec.json.Encoder()
_TASKS = msgspec.json.Decoder(ProbeTask | VideoTask | SoundTask | ConverterTask)
_REPLIES = msgspec.json.Decoder(Refusal | Facts | Pictures | Sound | Look | Conversion | NoConversion)


def send_task(channel: socket.socket, task: Task, clip: int) -> None:
    """Send a task with the descriptor of the clip."""
    socket.send_fds(channel, [_ENCODER.encode(task)], [clip])


def receive_task(channel: socket.socket) -> tuple[Task, int] | None:
    """Wait for a task and the descriptor of its clip; None when the step has gone."""
    message, descriptors, *_ = socket.recv_fds(channel, LARGEST, 1)
    return (_TASKS.decode(message), descriptors[0]) if message else None


def send_reply(channel: socket.socket, reply: Reply) -> None:
    """Send the reply to a task."""
    channel.send(_ENCODER.encode(reply))


def receive_reply(channel: socket.socket) -> AnyReply | None:
    """Read the reply; None when the decoder has gone. HostileReplyError for anything that is none.

    There is no room for descriptors: the kernel closes any that come with it.
    """
    message, _, flags, _ = channel.recvmsg(LARGEST, 0, socket.MSG_DONTWAIT)
    if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
        raise HostileReplyError("the reply is too long, or carries what no reply does")
    if not message:
        return None
    try:
        return _REPLIES.decode(message)
    except msgspec.MsgspecError as error:
        raise HostileReplyError(str(error)) from error
