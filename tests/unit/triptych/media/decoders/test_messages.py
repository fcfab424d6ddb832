"""What a decoder says is checked: a clip may have taken it over."""

from __future__ import annotations

import os
import pickle
import socket
from collections.abc import Iterator
from functools import partial

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.media.container import MOST_STREAMS
from triptych.media.decoders import handles, messages, steps
from triptych.media.decoders.handles import Caller, Decoder, DiedError
from triptych.media.decoders.messages import HostileReplyError, Pictures, Sound, StreamState, Track
from triptych.media.limits import Limits
from triptych.media.tracks import AudioTrack

OK = StreamState("ok", "", "")


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with here, there:
        yield here, there


def test_a_task_comes_with_its_clip(ends: tuple[socket.socket, socket.socket]):
    here, there = ends
    task = messages.VideoTask(5, Limits(seconds=7), [0.25, 1e-3])
    with open(os.devnull, "rb") as clip:
        messages.send_task(here, task, clip.fileno())
    received = messages.receive_task(there)
    assert received
    assert received[0] == task
    os.close(received[1])
    here.close()
    assert messages.receive_task(there) is None


def test_a_reply_comes_as_it_was_sent(ends: tuple[socket.socket, socket.socket]):
    here, there = ends
    reply = Pictures(360, 640, [0.25, float(np.float32(0.1))], OK)
    messages.send_reply(there, reply)
    assert messages.receive_reply(here) == reply
    there.close()
    assert messages.receive_reply(here) is None


HOSTILE = {
    "noise": bytes(range(256)),
    "a pickle": pickle.dumps(Limits()),
    "of no kind": b"{}",
    "of another kind": b'{"type": "Order"}',
    "too long": b" " * (messages.LARGEST + 1) + b'{"type": "NoConversion"}',
    "with more in it": b'{"type": "NoConversion", "path": "x"}',
    "a huge picture": b'{"type": "Pictures", "height": 641, "width": 1, "times": [], "stream": null}',
    "a negative count": msgspec.json.encode({"type": "Sound", "samples": -1, "stream": OK, "tracks": []}),
    "no number": b'{"type": "Sound", "samples": NaN, "tracks": [], '
    b'"stream": {"state": "ok", "reason": "", "value": ""}}',
    "a text for a number": msgspec.json.encode({"type": "Sound", "samples": "9", "stream": OK, "tracks": []}),
    "an endless name": msgspec.json.encode(Sound(9, OK, [Track(0, "x" * 101, "", 2, "all")])),
    "endless tracks": msgspec.json.encode(Sound(9, OK, 101 * [Track(0, "", "", 2, "all")])),
    "a look at one track": msgspec.json.encode(messages.Look([0], [9])),
    "endless words": msgspec.json.encode({"type": "Refusal", "words": "x" * 2000}),
    "endless times": msgspec.json.encode(Pictures(1, 1, [0.0] * 129, OK)),
}


@pytest.mark.parametrize("reply", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_no_reply_is_refused(ends: tuple[socket.socket, socket.socket], reply: bytes):
    here, there = ends
    there.send(reply)
    with pytest.raises(HostileReplyError):
        messages.receive_reply(here)


def test_a_reply_that_brings_files_is_refused_and_they_are_not_taken(ends: tuple[socket.socket, socket.socket]):
    here, there = ends
    before = len(os.listdir("/proc/self/fd"))
    with open(os.devnull, "rb") as file:
        socket.send_fds(there, [msgspec.json.encode(messages.NoConversion())], [file.fileno()])
    with pytest.raises(HostileReplyError):
        messages.receive_reply(here)
    assert len(os.listdir("/proc/self/fd")) == before


@given(st.binary(max_size=300))
def test_any_bytes_are_a_reply_or_refused(data: bytes):
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with here, there:
        there.send(data)
        try:
            reply = messages.receive_reply(here)
        except HostileReplyError:
            return
        assert reply is None or isinstance(reply, messages.Reply)


@pytest.mark.parametrize(
    ("read", "reply", "size"),
    [
        (steps._pictures, Pictures(10, 10, [0.0, 1.0], OK), 599),
        (steps._pictures, Pictures(10, 10, [], OK), 600),
        (steps._pictures, Sound(3, OK, []), 600),
        (steps._pictures, Pictures(10, 10, [], StreamState("failed", "made_up", "")), 600),
        (steps._sound, Sound(151, OK, []), 600),
        (steps._sound, Sound(0, OK, []), 600),
        (steps._sound, Sound(0, StreamState("fine", "", ""), []), 600),
        (partial(steps._choice, speaks=len), messages.Look([0, 1], [100, 51]), 600),
        (partial(steps._choice, speaks=len), messages.Look([0, 1], [100, 20, 20]), 600),
        (steps._facts, messages.Facts(1.0, 1, 1, 1.0, True, True, [1, 2], [0.5]), 0),
        (steps._conversion, messages.Sound(0, OK, []), 0),
    ],
)
def test_a_reply_that_does_not_fit_the_task_is_refused(read, reply: messages.Reply, size: int):
    with pytest.raises(HostileReplyError):
        read(reply, np.zeros(size, np.uint8))


@pytest.mark.parametrize("sample", [np.nan, np.inf, 1.5, -2.0])
def test_samples_that_are_none_are_refused(sample: float):
    shared = np.zeros(100, np.float32)
    shared[40] = sample
    with pytest.raises(HostileReplyError, match="beyond full scale"):
        steps._sound(Sound(100, OK, []), shared.view(np.uint8))


def test_sound_is_a_copy_that_the_decoder_cannot_change():
    shared = np.full(100, 0.5, np.float32)
    heard = steps._sound(Sound(100, OK, []), shared.view(np.uint8))
    shared[:] = np.nan
    assert (heard.pcm == 0.5).all()


def test_the_names_of_tracks_move_no_cursor():
    told = Track(1, "a\x1b[2J\n\u202eb", "rus", 2, "all")
    (track,) = steps._sound(Sound(1, OK, [told]), np.zeros(4, np.uint8)).tracks
    assert track.row() == ("1", "a[2Jb", "rus", "2", "all")


def test_the_longest_names_of_the_most_tracks_fit_one_message(ends: tuple[socket.socket, socket.socket]):
    here, there = ends
    longest = AudioTrack(99, 200 * "😀", 200 * "😀", 64, 200 * "😀").plain()
    reply = Sound(9, OK, MOST_STREAMS * [Track.of(longest)])
    messages.send_reply(there, reply)
    assert messages.receive_reply(here) == reply


def test_one_that_closes_its_socket_and_goes_on_is_a_liar(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(handles, "LAST_WORDS_S", 0.01)
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    leash, held = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    errors, written = os.pipe2(os.O_NONBLOCK)
    os.write(written, b"\x1b[2Jin probe.py\nline 3\x07")
    there.close()
    decoder = Decoder(here, leash, errors, np.zeros(0, np.uint8))
    with held:
        with pytest.raises(DiedError) as death:
            decoder.answer(30, Caller())
        assert death.value.cause == "reply"
        assert decoder.last_words() == "[2Jin probe.py\nline 3", "nothing that a terminal obeys"
        decoder.close()
    os.close(written)


@pytest.mark.parametrize(
    ("status", "cause"), [(-9, "lost"), (-24, "cpu"), (-6, "crash"), (-31, "crash"), (3, "memory"), (1, "crash")]
)
def test_an_exit_status_tells_the_cause(status: int, cause: str):
    assert handles.cause_of(status).cause == cause
    assert cause in handles.CAUSES
