"""Clips in memory of clients: what is taken, and what is refused before anything is opened, or read."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from grpc import StatusCode
from tritonclient.grpc import service_pb2

from triptych.serving.door.admission import Refusal
from triptych.serving.door.parcel import Parcel, opened
from triptych.serving.door.shared import SharedClips, is_local
from triptych_client import contract
from triptych_client.shared_memory import KEY_BYTES, Reference, SharedClip
from triptych_client.wire import infer_request

HERE, ELSEWHERE = "ipv4:127.0.0.1:40000", "ipv4:10.0.0.7:40000"
CLIP = b"\x00clip\xff" * 999
DOOR = SharedClips(allowed=True, max_bytes=1 << 16)


@pytest.fixture
def memory() -> Iterator[SharedClip]:
    clip = SharedClip([CLIP[:100], CLIP[100:]])
    yield clip
    clip.close()


def request(memory: SharedClip) -> service_pb2.ModelInferRequest:
    body = infer_request("emotion", "7", {}, contract.VIDEO, memory, ["ANSWER"])
    return service_pb2.ModelInferRequest.FromString(body)


def changed(memory: SharedClip, change: Callable[[service_pb2.ModelInferRequest], object]) -> Parcel:
    message = request(memory)
    change(message)
    return opened(message.SerializeToString())


def naming(memory: SharedClip, **changes: object) -> Parcel:
    reference = str(replace(memory.reference, **changes))
    return changed(memory, lambda message: place(message)["shared_memory_region"].MergeFrom(text(reference)))


def place(message: service_pb2.ModelInferRequest):
    return message.inputs[0].parameters


def text(value: str) -> service_pb2.InferParameter:
    return service_pb2.InferParameter(string_param=value)


def refused(parcel: Parcel, peer: str = HERE, door: SharedClips = DOOR) -> tuple[StatusCode, str]:
    with pytest.raises(Refusal) as told:
        door.fetched(parcel, peer)
    return told.value.status, told.value.words


def test_the_clip_is_the_one_that_the_client_has_written_and_stays_when_the_client_closes_it(memory: SharedClip):
    parcel = DOOR.fetched(naming(memory), HERE)
    memory.close()
    assert parcel.clip is not None
    assert bytes(parcel.clip) == CLIP
    after = service_pb2.ModelInferRequest.FromString(parcel.message({}))
    assert not place(after)
    assert list(after.inputs[0].shape) == [len(CLIP)]


def test_the_memory_is_let_go_with_the_parcel(memory: SharedClip):
    def mapped() -> int:
        return Path("/proc/self/maps").read_text().count("memfd:triptych-clip")

    before = mapped()
    parcel = DOOR.fetched(naming(memory), HERE)
    assert mapped() == before + 1
    del parcel
    assert mapped() == before


def test_a_request_with_a_clip_of_its_own_stays_as_it_is():
    body = infer_request("emotion", "7", {}, contract.VIDEO, CLIP, ["ANSWER"])
    parcel = opened(body)
    assert DOOR.fetched(parcel, ELSEWHERE) is parcel


def test_a_server_that_takes_none_and_a_caller_from_elsewhere_are_told_to_send_it(memory: SharedClip):
    parcel = naming(memory)
    assert refused(parcel, door=replace(DOOR, allowed=False))[0] is StatusCode.FAILED_PRECONDITION
    assert refused(parcel, peer=ELSEWHERE) == (
        StatusCode.FAILED_PRECONDITION,
        "clips are taken from shared memory of this host only",
    )


def test_who_does_not_know_the_key_gets_nothing(memory: SharedClip):
    assert refused(naming(memory, key="0" * KEY_BYTES)) == (
        StatusCode.FAILED_PRECONDITION,
        "the memory is not the one that was meant",
    )


def test_another_user_s_process_is_not_looked_into(memory: SharedClip, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert refused(naming(memory))[1] == "the client is another user's process"


def test_a_client_that_has_ended_or_closed_its_memory(memory: SharedClip):
    with subprocess.Popen(["true"]) as ended:
        pass
    assert "cannot open the client's memory" in refused(naming(memory, process=ended.pid))[1]
    parcel = naming(memory)
    memory.close()
    assert refused(parcel)[0] is StatusCode.FAILED_PRECONDITION


@pytest.mark.parametrize("size", [0, -1, len(CLIP) - 1, len(CLIP) + 1, (1 << 16) + 1, 1 << 62])
def test_a_size_that_is_not_the_clip_s_or_over_the_limit(memory: SharedClip, size: int):
    def lie(message: service_pb2.ModelInferRequest) -> None:
        place(message)["shared_memory_byte_size"].int64_param = size

    refused(changed(memory, lie))


@pytest.mark.parametrize("offset", [0, KEY_BYTES + 1, -1])
def test_an_offset_of_one_s_own(memory: SharedClip, offset: int):
    def lie(message: service_pb2.ModelInferRequest) -> None:
        place(message)["shared_memory_offset"].int64_param = offset

    assert refused(changed(memory, lie))[0] is StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("region", ["", "triptych-abcdefgh_clip-0-1", "../../etc/passwd", "1/2", "0/3/" + "a" * 32])
def test_a_region_of_another_form(memory: SharedClip, region: str):
    def lie(message: service_pb2.ModelInferRequest) -> None:
        place(message)["shared_memory_region"].string_param = region

    assert refused(changed(memory, lie))[0] is StatusCode.INVALID_ARGUMENT


def test_an_answer_is_not_written_into_shared_memory():
    message = service_pb2.ModelInferRequest(model_name="emotion", raw_input_contents=[CLIP])
    message.inputs.add(name="VIDEO", datatype="UINT8", shape=[len(CLIP)])
    message.outputs.add(name="ANSWER").parameters["shared_memory_region"].string_param = "slot"
    assert refused(opened(message.SerializeToString()))[0] is StatusCode.INVALID_ARGUMENT


def test_a_second_input_or_further_bytes_beside_it(memory: SharedClip):
    for more in (
        lambda message: message.inputs.add(name="CLIP"),
        lambda message: message.raw_input_contents.append(b"x"),
    ):
        assert refused(changed(memory, more))[0] is StatusCode.INVALID_ARGUMENT


def test_memory_that_can_still_be_changed_is_not_read(memory: SharedClip):
    descriptor = os.memfd_create("open", os.MFD_ALLOW_SEALING)
    try:
        os.write(descriptor, memory.reference.key.encode() + CLIP)
        assert "can still be changed" in refused(naming(memory, descriptor=descriptor))[1]
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
        assert "can still be changed" in refused(naming(memory, descriptor=descriptor))[1]
    finally:
        os.close(descriptor)


def test_what_is_no_memory_is_not_opened(memory: SharedClip, tmp_path: Path):
    fifo, file = tmp_path / "fifo", tmp_path / "file"
    os.mkfifo(fifo)
    file.write_bytes(memory.reference.key.encode() + CLIP)
    for path, flags in (
        (fifo, os.O_RDWR),
        (tmp_path, os.O_RDONLY),
        (Path("/dev/null"), os.O_RDONLY),
        (file, os.O_RDWR),
    ):
        descriptor = os.open(path, flags)
        try:
            assert refused(naming(memory, descriptor=descriptor))[0] is StatusCode.FAILED_PRECONDITION
        finally:
            os.close(descriptor)


@pytest.mark.parametrize(
    ("peer", "local"),
    [
        ("ipv4:127.0.0.1:5", True),
        ("ipv4:127.8.0.1:5", True),
        ("ipv6:%5B::1%5D:5", True),
        ("ipv6:[::1]:5", True),
        ("ipv6:%5B::ffff:127.0.0.1%5D:5", True),
        ("unix:", True),
        ("unix:/run/triptych", True),
        ("ipv4:10.0.0.7:5", False),
        ("ipv6:%5Bfe80::1%25eth0%5D:5", False),
        ("ipv6:%5B::ffff:10.0.0.7%5D:5", False),
        ("ipv4:127.0.0.1.example:5", False),
        ("", False),
    ],
)
def test_who_is_on_this_host(peer: str, local: bool):
    assert is_local(peer) is local


def test_references_are_read_as_they_are_written():
    reference = Reference(17, 4, "0123456789abcdef" * 2)
    assert Reference.parsed(str(reference)) == reference
    for other in ("", "17/4", f"{reference}\n", f" {reference}", "17/-1/" + reference.key, "٣/4/" + reference.key):
        assert Reference.parsed(other) is None
