"""What is sent, and what is refused before anything is sent."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from triptych_client import InvalidClip, InvalidRequest, contract
from triptych_client.request import MAX_REQUEST_BYTES, prepare


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"\x00\x01\x02\xff")
    return path


def test_all_kinds_of_clips_are_sent_alike(clip: Path):
    with clip.open("rb") as file:
        requests = [prepare(clip), prepare(str(clip)), prepare(clip.read_bytes()), prepare(file)]
    assert all(request.video.tobytes() == b"\x00\x01\x02\xff" for request in requests)
    assert [request.path for request in requests] == [str(clip), str(clip), None, str(clip)]
    assert prepare(io.BytesIO(b"x")).path is None


def test_request_is_the_contract_s(clip: Path):
    arguments = prepare(clip, task="translate", language="ru").arguments(7.5)
    (video,) = arguments["inputs"]
    assert arguments["model_name"] == contract.ENSEMBLE
    assert (video.name(), video.datatype(), list(video.shape())) == ("VIDEO", "UINT8", [4])
    assert [output.name() for output in arguments["outputs"]] == [tensor.name for tensor in contract.ANSWER]
    assert arguments["parameters"] == {"task": "translate", "language": "ru"}
    assert arguments["client_timeout"] == 7.5


def test_embeddings_are_asked_for_on_request_only(clip: Path):
    names = {tensor.name for tensor in contract.EMBEDDINGS}
    assert not names & set(prepare(clip).outputs)
    assert names < set(prepare(clip, embeddings=True).outputs)


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
        (huge, "one request carries less than 2 GiB"),
    ]:
        with pytest.raises(InvalidClip, match=says):
            prepare(clip)


def test_unknown_task_is_refused(clip: Path):
    with pytest.raises(InvalidRequest, match="transcribe or translate"):
        prepare(clip, task="summarise")


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import triptych_client.cli, triptych_client.aio", ["torch", "onnxruntime", "transformers", "av", "triptych"]),
        # What every step of the server imports must not bring gRPC into its process.
        ("from triptych_client import contract", ["grpc", "tritonclient", "rich", "typer", "numpy"]),
    ],
)
def test_imports_are_light(statement: str, absent: list[str]):
    code = f"{statement}\nimport sys\nprint([name for name in {absent} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
