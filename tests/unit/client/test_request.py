"""What is sent, and what is refused before anything is sent."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tritonclient.grpc import service_pb2

from triptych_client import InvalidClip, InvalidRequest, contract
from triptych_client.request import MAX_REQUEST_BYTES, Ask, Request, prepare


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"\x00\x01\x02\xff")
    return path


def sent(request: Request) -> Any:
    return service_pb2.ModelInferRequest.FromString(request.message)


def test_all_kinds_of_clips_are_sent_alike(clip: Path):
    with clip.open("rb") as file:
        requests = [prepare(clip), prepare(str(clip)), prepare(clip.read_bytes()), prepare(file)]
    assert all(list(sent(request).raw_input_contents) == [b"\x00\x01\x02\xff"] for request in requests)
    assert [request.path for request in requests] == [str(clip), str(clip), None, str(clip)]
    assert prepare(io.BytesIO(b"x")).path is None


def test_request_is_the_contract_s(clip: Path):
    message = sent(prepare(clip, Ask("translate", "ru"), request_id="7"))
    (video,) = message.inputs
    assert (message.model_name, message.id) == (contract.ENSEMBLE, "7")
    assert (video.name, video.datatype, list(video.shape)) == ("VIDEO", "UINT8", [4])
    assert [output.name for output in message.outputs] == [tensor.name for tensor in contract.ANSWER]
    given = {name: value.string_param for name, value in message.parameters.items()}
    assert given == {"task": "translate", "language": "ru"}


def test_embeddings_are_asked_for_on_request_only(clip: Path):
    names = {tensor.name for tensor in contract.EMBEDDINGS}
    assert not names & set(prepare(clip).outputs)
    assert names < set(prepare(clip, Ask(embeddings=True)).outputs)


class Endless(io.RawIOBase):
    """A file object that never ends and gives a little at a time; `given` counts."""

    given = 0

    def read(self, size: int = -1) -> bytes:
        piece = bytes(min(size, 1000))
        self.given += len(piece)
        return piece


def test_no_more_of_a_clip_is_read_than_the_server_takes(tmp_path: Path):
    endless = Endless()
    with pytest.raises(InvalidClip, match=r"more than 0\.0625 MiB; the limit is 0\.0625 MiB \(TRIPTYCH_MAX_MEBIBYTES"):
        prepare(endless, limit_bytes=1 << 16)
    assert endless.given == (1 << 16) + 1
    hole = tmp_path / "hole.mp4"
    with hole.open("wb") as file:
        os.truncate(file.fileno(), 1 << 40)  # could not be read if one tried
    with pytest.raises(InvalidClip, match=r"hole\.mp4: the file is 1\.049e\+06 MiB; the limit is 64 MiB"):
        prepare(hole, limit_bytes=64 << 20)


def test_a_clip_of_just_the_limit_is_sent():
    assert list(sent(prepare(io.BytesIO(b"1234"), limit_bytes=4)).raw_input_contents) == [b"1234"]
    assert list(sent(prepare(bytearray(b"1234"), limit_bytes=4)).raw_input_contents) == [b"1234"]
    for clip in (b"12345", memoryview(b"12345"), io.BytesIO(b"12345")):
        with pytest.raises(InvalidClip, match="the limit is"):
            prepare(clip, limit_bytes=4)


def test_a_pipe_is_read_to_its_end():
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as pipe:
        with os.fdopen(writer, "wb") as file:
            file.write(b"12345")
        assert list(sent(prepare(f"/dev/fd/{pipe.fileno()}", limit_bytes=5)).raw_input_contents) == [b"12345"]


def test_unusable_clips_are_refused(tmp_path: Path):
    empty = tmp_path / "empty.mp4"
    empty.touch()
    huge = tmp_path / "huge.mp4"
    with huge.open("wb") as file:
        os.truncate(file.fileno(), MAX_REQUEST_BYTES + 1)  # a hole: takes no room on the disk
    for clip, says in [
        (tmp_path / "gone.mp4", "gone.mp4: cannot be read: No such file or directory"),
        ("", "the path of the clip is empty"),
        (tmp_path, "this is a folder"),
        (empty, "the clip is empty"),
        (b"", "the clip is empty"),
        (io.BytesIO(), "the clip is empty"),
        (huge, "one request carries less than 2 GiB"),
    ]:
        with pytest.raises(InvalidClip, match=says):
            prepare(clip)


def test_unknown_task_is_refused():
    with pytest.raises(InvalidRequest, match="transcribe or translate"):
        Ask(task="summarise")


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import triptych_client.cli, triptych_client.aio", ["torch", "onnxruntime", "transformers", "av", "triptych"]),
        # The command line switches gRPC's log off before gRPC is imported.
        ("import triptych_client.cli", ["grpc", "tritonclient", "opentelemetry"]),
        # What every step of the server imports must not bring gRPC into its process.
        ("from triptych_client import contract", ["grpc", "tritonclient", "rich", "typer", "numpy"]),
    ],
)
def test_imports_are_light(statement: str, absent: list[str]):
    code = f"{statement}\nimport sys\nprint([name for name in {absent} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
