"""Clips that are handed over in memory: when, what of it is sent, and what happens where the server does not let it."""

from __future__ import annotations

import io
import logging
import os
from contextlib import closing
from pathlib import Path

import grpc
import pytest

from samples.scripted_server import Refusal, ScriptedServer
from triptych_client import AsyncClient, Client, InvalidClip
from triptych_client.protocol import SHARED_MEMORY
from triptych_client.request import prepare
from triptych_client.shared_memory import KEY_BYTES, LEAST_BYTES, SharedClip

CLIP = bytes(range(256)) * (LEAST_BYTES // 256) + b"the end"
NO = Refusal(grpc.StatusCode.FAILED_PRECONDITION, "the client is another user's process")


def in_memory(server: ScriptedServer) -> list[bool]:
    """Tell of each clip's request whether it refers to memory, and else check that it holds the clip."""
    found = []
    for request in server.requests:
        (video,) = request.inputs
        found.append("shared_memory_region" in video.parameters)
        assert list(request.raw_input_contents) == ([] if found[-1] else [CLIP])
        assert list(video.shape) == [len(CLIP)]
    return found


def open_memory() -> int:
    links = (f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd"))
    return sum(os.path.islink(link) and "memfd:triptych-clip" in os.readlink(link) for link in links)


async def test_a_clip_lies_in_memory_where_both_sides_want_it():
    with ScriptedServer(extensions=[SHARED_MEMORY]) as server:
        with Client(server.url, shared_memory=True) as client:
            assert client.analyze(CLIP).emotion.label
        async with AsyncClient(server.url, shared_memory=True) as other:
            assert (await other.analyze(CLIP)).emotion.label
        with Client(server.url) as client:
            client.analyze(CLIP)
    assert in_memory(server) == [True, True, False]
    assert open_memory() == 0


async def test_where_the_server_says_no_the_clip_is_sent_and_so_are_the_next(caplog: pytest.LogCaptureFixture):
    no = {"refusals": [NO], "extensions": [SHARED_MEMORY]}
    with ScriptedServer(**no) as server, Client(server.url, shared_memory=True) as client:
        assert [client.analyze(CLIP).emotion.label for _ in range(2)]
    with ScriptedServer(**no) as other:
        async with AsyncClient(other.url, shared_memory=True) as client:
            assert [(await client.analyze(CLIP)).emotion.label for _ in range(2)]
    assert in_memory(server) == in_memory(other) == [True, False, False]
    assert [record.getMessage() for record in caplog.records] == 2 * [
        "clips are sent, not handed over in memory: the client is another user's process"
    ]
    assert open_memory() == 0


def test_a_server_that_does_not_offer_it_is_not_tried(caplog: pytest.LogCaptureFixture):
    with ScriptedServer() as server, Client(server.url, shared_memory=True) as client:
        assert [client.analyze(CLIP).emotion.label for _ in range(2)]
    assert in_memory(server) == [False, False]
    (line,) = caplog.records
    assert "triptych serve --client-shared-memory" in line.getMessage()
    assert line.levelno == logging.WARNING


def test_small_clips_and_file_objects_are_sent(tmp_path: Path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(CLIP)
    with closing(prepare(path, shared=True)) as one:
        assert one.memory is not None
        assert one.memory.read() == CLIP
    assert prepare(CLIP[: LEAST_BYTES - 1], shared=True).memory is None
    assert prepare(io.BytesIO(CLIP), shared=True).memory is None


def test_a_clip_that_grows_over_the_limit_leaves_no_memory_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "clip.mp4"
    path.write_bytes(CLIP)
    monkeypatch.setattr("triptych_client.request._size", lambda clip: LEAST_BYTES)
    with pytest.raises(InvalidClip, match=r"more than .*; the limit is 1 MiB"):
        prepare(path, limit_bytes=LEAST_BYTES, shared=True)
    assert open_memory() == 0


def test_the_memory_cannot_be_changed_and_begins_with_its_key():
    clip = SharedClip([b"a", b"bc"])
    with open(f"/proc/self/fd/{clip.reference.descriptor}", "rb") as memory:
        assert memory.read() == clip.reference.key.encode() + b"abc"
    assert (len(clip), len(clip.reference.key), clip.read()) == (3, KEY_BYTES, b"abc")
    for change in (lambda number: os.ftruncate(number, 1), lambda number: os.pwrite(number, b"x", 0)):
        with pytest.raises(PermissionError):
            change(clip.reference.descriptor)
    clip.close()
    clip.close()
