"""Answers come out whole or not at all, under names and on consoles of any encoding."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from samples import client as samples
from samples.scripted_server import ScriptedServer
from triptych.paths import ROOT
from triptych_client import files
from triptych_client.archive.run import PRIVATE
from triptych_client.characters import prepare_console, printable, to_json
from triptych_client.clips import Search
from triptych_client.errors import TriptychClientError
from triptych_client.output import Format, tell_skipped
from triptych_client.results import Analysis

COMMAND = (sys.executable, "-c", "from triptych_client.cli import main; main()")
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
"""Python's own ways out of such a locale (PEP 538 and 540) are shut."""
UNDECODABLE = os.fsdecode(b"caf\xe9.mp4")
DEADLINE_S = 60


@contextmanager
def running(*arguments: str, environment: Mapping[str, str] = {}, **options) -> Iterator[subprocess.Popen[bytes]]:
    paths = os.pathsep.join(map(str, (ROOT, ROOT / "client")))
    started = subprocess.Popen(
        [*COMMAND, *arguments],
        env={**os.environ, "PYTHONPATH": paths, **environment},
        stderr=subprocess.PIPE,
        **options,
    )
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


def until(fact: Callable[[], object]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not fact():
        assert time.monotonic() < end


def test_a_file_is_there_when_it_is_whole(tmp_path: Path):
    path = tmp_path / "deep" / "answer.json"
    with files.whole(path) as stream:
        stream.write("Грусть")
        stream.flush()
        assert not path.exists()
    assert path.read_text(encoding="utf-8") == "Грусть"
    assert os.listdir(path.parent) == ["answer.json"]


@pytest.mark.parametrize("ending", [KeyboardInterrupt, ValueError, OSError])
def test_what_ends_the_command_leaves_the_old_file_and_nothing_else(tmp_path: Path, ending: type[BaseException]):
    path = tmp_path / "answer.json"
    path.write_text("old")

    def end() -> None:
        with files.whole(path) as stream:
            stream.write("half of")
            raise ending

    with pytest.raises((ending, TriptychClientError)):
        end()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["answer.json"]


def test_a_link_stays_a_link_and_a_mode_a_mode(tmp_path: Path):
    (tmp_path / "real.txt").touch(mode=0o640)
    (tmp_path / "link.txt").symlink_to("real.txt")
    with files.whole(tmp_path / "link.txt") as stream:
        stream.write("new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"
    assert (tmp_path / "real.txt").stat().st_mode & 0o777 == 0o640


def test_the_longest_name_leaves_room(tmp_path: Path):
    path = tmp_path / f"{'x' * 250}.json"
    with files.whole(path) as stream:
        stream.write("{}")
    assert path.read_text() == "{}"


def test_what_is_no_file_is_written_as_it_comes():
    with files.whole(Path("/dev/null")) as stream:
        stream.write("gone")
    assert Path("/dev/null").is_char_device()


def test_a_full_disk_is_one_line_that_names_the_file():
    full = pytest.raises(TriptychClientError, match=r"^/dev/full: cannot be written: No space left on device")
    with full, files.whole(Path("/dev/full")) as stream:
        stream.write("x" * (1 << 20))


def test_a_full_disk_on_standard_output_is_one_line(tmp_path: Path):
    (tmp_path / "a.mp4").write_bytes(b"1234")
    with (
        ScriptedServer() as server,
        Path("/dev/full").open("w") as full,
        running("analyze", str(tmp_path), "--url", server.url, stdout=full) as command,
    ):
        told = command.communicate(timeout=DEADLINE_S)[1].decode()
    assert command.returncode == 1
    assert "No space left on device" in told.splitlines()[0]
    assert "Traceback" not in told


@pytest.mark.parametrize(("out", "begun"), [("answers.json", "*.part"), ("answers/", "answers/a.json")])
def test_an_interrupted_command_leaves_no_half_file(tmp_path: Path, out: str, begun: str):
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.mp4").write_bytes(b"1234")
    os.mkfifo(tmp_path / "b.mp4")
    arguments = ("analyze", f"{tmp_path}/clips", f"{tmp_path}/b.mp4", "--format", "json", "--out", f"{tmp_path}/{out}")
    with (
        ScriptedServer() as server,
        running(*arguments, "--concurrency", "1", "--url", server.url) as command,
        (tmp_path / "b.mp4").open("wb"),  # opens when the command reads it
    ):
        until(lambda: list(tmp_path.glob(begun)))
        command.send_signal(signal.SIGINT)
        command.communicate(timeout=DEADLINE_S)
    assert command.returncode == -signal.SIGINT
    found = (path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    left = sorted(str(path) for path in found if PRIVATE not in path.parts)  # what a further run goes on with
    whole = ["answers", "answers/a.json"] if out == "answers/" else []
    assert left == sorted(["b.mp4", "clips", "clips/a.mp4", *whole])
    for name in whole[1:]:
        json.loads((tmp_path / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("environment", "format"),
    [(ASCII, "text"), (ASCII, "json"), (ASCII, "csv"), ({"LC_ALL": "C.UTF-8"}, "text")],
    ids=["ascii-text", "ascii-json", "ascii-csv", "utf-8-text"],
)
def test_names_and_consoles_of_any_encoding(tmp_path: Path, environment: dict[str, str], format: str):
    for name in (UNDECODABLE, "клип.mp4", "gone\x1b[2J.mp4"):
        (tmp_path / name).write_bytes(b"" if "gone" in name else b"1234")
    with ScriptedServer() as server:
        arguments = ("analyze", str(tmp_path), "--url", server.url, "--lang", "ru", "--format", format)
        with running(*arguments, environment=environment, stdout=subprocess.PIPE) as command:
            said, told = command.communicate(timeout=DEADLINE_S)
    assert command.returncode == 1, told
    assert b"Traceback" not in told
    assert b"\x1b[2J" not in told
    assert b"the clip is empty" in told
    said.decode("ascii" if environment is ASCII and format == "text" else "utf-8")
    if format == "json":
        paths = [answer["clip"]["path"] for answer in json.loads(said)]
        assert paths == [str(tmp_path / UNDECODABLE), str(tmp_path / "клип.mp4")]


def test_answers_of_undecodable_names_can_be_read_back():
    told = samples.analysis().to_dict()
    told["clip"]["path"] = UNDECODABLE
    text = Analysis.from_dict(told).to_json()
    assert "caf\\udce9.mp4" in text
    assert text.encode("utf-8")
    assert os.fsencode(Analysis.from_dict(json.loads(text)).clip.path or "") == b"caf\xe9.mp4"


def test_json_keeps_every_other_character():
    assert to_json({"path": "клип 😀"}) == '{"path": "клип 😀"}'


def test_reports_come_as_near_as_the_console_can():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    prepare_console(stream, for_machines=False)
    stream.write("0:01–0:02 · 1280×720 “café” ██▌ Грусть \udce9")
    stream.flush()
    assert stream.buffer.getvalue() == b'0:01-0:02 . 1280x720 "cafe" ### ?????? \\udce9'


def test_what_is_shown_moves_no_cursor():
    assert printable("a\x1b[2J\r\nb клип\udcff") == "a\\x1b[2J\\r\\nb клип\\udcff"


def test_skipped_files_are_one_line(capsys: pytest.CaptureFixture[str]):
    search = Search([], {"hidden": 1, "not media": 2})
    tell_skipped(search, Format.TEXT)
    tell_skipped(search, Format.JSONL)
    tell_skipped(Search([], {}), Format.TEXT)
    assert capsys.readouterr().err.splitlines() == [
        "skipped: 1 hidden, 2 not media",
        '{"skipped": {"hidden": 1, "not media": 2}}',
    ]
