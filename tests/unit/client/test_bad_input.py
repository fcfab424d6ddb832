"""What can be wrong with a command line, its files and its server: one line each, and an exit code that tells."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import grpc
import numpy as np
import pytest

from samples.analyze import run
from samples.scripted_server import Refusal, ScriptedServer
from samples.silent_server import SilentServer
from triptych_client import Client, ServerError

UNDECODABLE = os.fsdecode(b"caf\xe9.mp4")


class Quiet(BaseHTTPRequestHandler):
    """Refuses every request, and writes no log."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def website() -> Iterator[str]:
    """Give the address of a server that speaks HTTP only."""
    server = HTTPServer(("127.0.0.1", 0), Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def nobody() -> Iterator[str]:
    yield "127.0.0.1:1"


@contextmanager
def silent() -> Iterator[str]:
    with SilentServer() as server:
        yield server.url


@contextmanager
def refusing(status: grpc.StatusCode, words: str) -> Iterator[str]:
    with ScriptedServer([Refusal(status, words)]) as server:
        yield server.url


@contextmanager
def other_triton() -> Iterator[str]:
    with refusing(grpc.StatusCode.NOT_FOUND, "Request for unknown model: 'emotion' is not found") as url:
        yield url


@contextmanager
def older_server() -> Iterator[str]:
    words = "[request id: 1] unexpected inference output 'EVIDENCE' for model 'emotion'"
    with refusing(grpc.StatusCode.INVALID_ARGUMENT, words) as url:
        yield url


@contextmanager
def other_answers() -> Iterator[str]:
    with ScriptedServer(changes={"PROBABILITIES": np.full(8, 0.125, np.float32)}) as server:
        yield server.url


@pytest.mark.parametrize(
    ("server", "told"),
    [
        (nobody, "no server at 127.0.0.1:1; start one with `triptych serve`"),
        (website, "cannot answer|takes no connection like this one|no Triptych"),
        (silent, "no answer within"),
        (other_triton, "is no Triptych of this client's version: Request for unknown model"),
        (older_server, "is no Triptych of this client's version: unexpected inference output"),
        (other_answers, "the server's answer is not one of this client's version"),
    ],
)
def test_a_server_that_is_none_of_ours_is_one_line(
    server: Callable, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "clip.mp4").write_bytes(b"1234")
    with server() as url:
        assert run(monkeypatch, "analyze", str(tmp_path / "clip.mp4"), "--url", url, "--timeout", "2") == 1
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert re.search(told, line), line


def test_an_answer_of_another_version_is_the_server_s_fault():
    with other_answers() as url, Client(url) as client, pytest.raises(ServerError, match="give both the same"):
        client.analyze(b"1234")


def test_files_of_any_name_and_kind_are_each_their_own_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    good = ("with spaces.mp4", "клип.mp4", "😀.mp4", UNDECODABLE, "-dash.mp4")
    folder = tmp_path / "clips"
    (folder / "a folder.mp4").mkdir(parents=True)
    for name in good:
        (folder / name).write_bytes(b"1234")
    (folder / "empty.mp4").touch()
    os.mkfifo(folder / "pipe.mp4")
    (folder / "link.mp4").symlink_to("nowhere")
    named = (str(folder), f"{tmp_path}/gone.mp4", f"{folder}/empty.mp4/below.mp4")
    with ScriptedServer() as server:
        assert run(monkeypatch, "analyze", *named, "--url", server.url, "--out", f"{tmp_path}/out/") == 1
        assert len(server.requests) == len(good)
    written = {path.name for path in (tmp_path / "out").iterdir() if path.suffix == ".txt"}
    assert written == {Path(name).stem + ".txt" for name in good}
    report = (tmp_path / "out" / "failures.csv").read_text(encoding="utf-8")
    assert report.count("InvalidClip") == 3
    told = capsys.readouterr().err
    assert "skipped: 2 no regular file" in told
    assert "Traceback" not in told


def test_an_out_folder_that_cannot_be_is_one_line(tmp_path: Path, monkeypatch, capsys):
    (tmp_path / "clip.mp4").write_bytes(b"1234")
    (tmp_path / "file.txt").touch()
    with ScriptedServer() as server:
        arguments = ("analyze", f"{tmp_path}/clip.mp4", "--url", server.url, "--out", f"{tmp_path}/file.txt/")
        assert run(monkeypatch, *arguments) == 3
        assert server.requests == []
    (line,) = capsys.readouterr().err.splitlines()
    assert "file.txt" in line


@pytest.mark.parametrize(
    "arguments",
    [
        ("--format", "parquet"),
        ("--format", "parquet", "--out", "answers.parquet"),
        ("--format", "eaf", "clip2.mp4"),
        ("--metadata", "no value"),
        ("--window", "1"),
    ],
)
def test_what_makes_no_sense_is_told_before_any_work(arguments: tuple[str, ...], monkeypatch):
    assert run(monkeypatch, "analyze", "clip.mp4", "--url", "127.0.0.1:1", *arguments) == 2
