"""A run into a folder: whatever ends it, what was answered stays, and is not asked again."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest

from samples.analyze import run
from samples.disk import full_disk
from samples.scripted_server import Refusal, ScriptedServer
from triptych.paths import ROOT
from triptych_client import Client, FolderInUse
from triptych_client.archive import lock
from triptych_client.archive.run import PRIVATE
from triptych_client.archive.store import Clip, Store
from triptych_client.contract import SCHEMA

Triptych = Callable[..., int]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A folder of three clips, two of which differ in their suffix alone."""
    folder = tmp_path / "clips"
    for name in ("IMG_1.MOV", "IMG_1.MP4", "deep/клип 😀.mp4"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


@pytest.fixture
def triptych(monkeypatch: pytest.MonkeyPatch, archive: Path, tmp_path: Path) -> Triptych:
    """Run `triptych analyze` on the folder, into another one."""

    def call(server: ScriptedServer | str, *arguments: str) -> int:
        url = server if isinstance(server, str) else server.url
        return run(monkeypatch, "analyze", str(archive), "--out", f"{tmp_path}/out/", "--url", url, *arguments)

    return call


def names(folder: Path) -> list[str]:
    """Return what is in a folder, without what is for further runs."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in found if path.parts[0] != PRIVATE)


def sent(server: ScriptedServer) -> list[str]:
    return sorted(request.raw_input_contents[0].decode() for request in server.requests)


def test_what_is_answered_is_not_asked_again(triptych: Triptych, archive: Path, tmp_path: Path, capsys):
    out = tmp_path / "out"
    with ScriptedServer() as server:
        assert triptych(server, "--format", "json") == 0
        assert names(out) == ["IMG_1.MOV.json", "IMG_1.MP4.json", "deep/клип 😀.json"]
        (archive / "new.mp4").write_bytes(b"new")
        (out / "IMG_1.MOV.json").unlink()
        assert triptych(server, "--format", "json") == 0
    assert sent(server) == sorted(["IMG_1.MOV", "IMG_1.MP4", "deep/клип 😀.mp4", "new"])
    assert names(out) == ["IMG_1.MOV.json", "IMG_1.MP4.json", "deep/клип 😀.json", "new.json"]
    answers = [json.loads((out / name).read_text(encoding="utf-8")) for name in names(out)]
    assert {answer["schema"] for answer in answers} == {SCHEMA}
    assert len({answer["clip"]["path"] for answer in answers}) == 4
    assert capsys.readouterr().err == "1 answered, 3 were answered before\n"


def test_another_format_is_written_without_asking(triptych: Triptych, tmp_path: Path):
    with ScriptedServer() as server:
        assert triptych(server, "--format", "json") == 0
        assert triptych(server, "--format", "vtt", "--lang", "ru") == 0
    assert len(server.requests) == 3
    assert "Грусть" in (tmp_path / "out" / "IMG_1.MOV.vtt").read_text(encoding="utf-8")


def test_a_clip_that_was_exchanged_is_another_clip(triptych: Triptych, archive: Path):
    with ScriptedServer() as server:
        assert triptych(server) == 0
        (archive / "IMG_1.MOV").write_bytes(b"longer than before")
        assert triptych(server) == 0
    assert sent(server).count("longer than before") == 1
    assert len(server.requests) == 4


def test_a_clip_added_later_does_not_take_the_name_of_another(triptych: Triptych, archive: Path, tmp_path: Path):
    (archive / "IMG_1.MP4").unlink()
    with ScriptedServer() as server:
        assert triptych(server, "--format", "json") == 0
        assert "IMG_1.json" in names(tmp_path / "out")
        (archive / "IMG_1.MP4").write_bytes(b"later")
        assert triptych(server, "--format", "json") == 0
    paths = {
        name: Path(json.loads((tmp_path / "out" / name).read_text(encoding="utf-8"))["clip"]["path"]).name
        for name in names(tmp_path / "out")
    }
    assert paths == {"IMG_1.json": "IMG_1.MOV", "IMG_1.MP4.json": "IMG_1.MP4", "deep/клип 😀.json": "клип 😀.mp4"}


def test_failures_are_rows_and_a_report_and_only_others_faults_are_tried_again(
    triptych: Triptych, archive: Path, tmp_path: Path
):
    out = tmp_path / "out"
    (archive / "=empty.mp4").touch()
    with ScriptedServer([Refusal(grpc.StatusCode.INTERNAL, "boom")]) as server:
        assert triptych(server, "--format", "csv", "--bom", "--concurrency", "1") == 1
        first = len(server.requests)
        assert triptych(server, "--format", "csv", "--bom") == 1
        assert len(server.requests) == first + 1  # the one that met a fault of the server; not the empty one
    text = (out / "clips.csv").read_text(encoding="utf-8")
    assert text.startswith("\ufeffpath,")
    rows = list(csv.DictReader(text.removeprefix("\ufeff").splitlines()))
    assert [bool(row["error"]) for row in rows].count(True) == 1
    assert len(rows) == 4
    report = (out / "failures.csv").read_text(encoding="utf-8").removeprefix("\ufeff").splitlines()
    assert len(report) == 2
    assert "InvalidClip" in report[1]
    (archive / "=empty.mp4").unlink()
    (archive / "=empty.mp4").write_bytes(b"full")
    with ScriptedServer() as server:
        assert triptych(server, "--format", "csv") == 0
    assert names(out) == ["clips.csv"]


def test_failed_clips_are_asked_again_when_told_to(triptych: Triptych, archive: Path):
    (archive / "empty.mp4").touch()
    with ScriptedServer() as server:
        assert triptych(server) == 1
        assert triptych(server) == 1
        assert triptych(server, "--retry-failed") == 1
    assert len(server.requests) == 3


def test_a_second_run_into_the_folder_is_refused(triptych: Triptych, tmp_path: Path, capsys):
    with ScriptedServer() as server, lock.held(tmp_path / "out" / PRIVATE, tmp_path / "out"):
        assert triptych(server) == 3
        assert server.requests == []
    (line,) = capsys.readouterr().err.splitlines()
    assert f"another run writes there (process {os.getpid()} on " in line
    with ScriptedServer() as server:
        assert triptych(server) == 0


def test_the_lock_of_a_run_that_was_killed_keeps_nobody_out(tmp_path: Path):
    code = (
        "import os, signal, sys; from pathlib import Path; from triptych_client.archive import lock\n"
        "with lock.held(Path(sys.argv[1]), Path(sys.argv[1])): os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "client")}
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "owner.json").exists()
    with lock.held(tmp_path, tmp_path), pytest.raises(FolderInUse), lock.held(tmp_path, tmp_path):
        pass


def test_no_server_is_one_line_and_a_run_that_did_not_end(triptych: Triptych, tmp_path: Path, capsys):
    assert triptych("127.0.0.1:1") == 3
    assert capsys.readouterr().err == "no server at 127.0.0.1:1; start one with `triptych serve`\n"


def test_on_a_full_disk_the_run_ends_and_goes_on_later(triptych: Triptych, tmp_path: Path, capsys):
    with ScriptedServer() as server:
        with full_disk(free=3000):
            assert triptych(server, "--format", "json", "--concurrency", "1") == 3
        assert "File too large" in capsys.readouterr().err
        assert triptych(server, "--format", "json") == 0
    assert len(names(tmp_path / "out")) == 3
    for name in names(tmp_path / "out"):
        json.loads((tmp_path / "out" / name).read_text(encoding="utf-8"))


def test_what_a_killed_run_left_half_written_is_cut_off(triptych: Triptych, tmp_path: Path):
    private = tmp_path / "out" / PRIVATE
    with ScriptedServer() as server:
        assert triptych(server, "--format", "json") == 0
        journal = (private / "journal.jsonl").read_bytes().splitlines(keepends=True)
        (private / "journal.jsonl").write_bytes(b"".join(journal[:2]) + journal[2][:20])
        with (private / "answers.jsonl.gz").open("ab") as file:
            file.write(b"half of an answer")
        assert triptych(server, "--format", "json") == 0
    assert len(server.requests) == 4
    store = Store(private)
    assert len(store.entries) == 3
    assert all(store.answer(entry).emotion.label for entry in store.latest())


def test_something_else_in_place_of_the_journal_is_one_line(triptych: Triptych, tmp_path: Path, capsys):
    (tmp_path / "out" / PRIVATE).mkdir(parents=True)
    (tmp_path / "out" / PRIVATE / "journal.jsonl").write_text('{"this": "is none"}\n')
    with ScriptedServer() as server:
        assert triptych(server) == 3
    assert "this is no journal of answers" in capsys.readouterr().err


def test_names_that_are_no_utf_8_are_found_again(tmp_path: Path):
    path = tmp_path / os.fsdecode(b"caf\xe9.mp4")
    path.write_bytes(b"1")
    clip = Clip.of(path, "transcribe", None)
    with ScriptedServer() as server, Client(server.url) as client:
        Store(tmp_path / "store").keep(clip, "café", client.analyze(path))
    assert set(Store(tmp_path / "store").entries) == {clip}
