"""The command line as far as it goes without a server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from samples import client as samples
from samples.scripted_server import BUSY, Refusal, ScriptedServer
from triptych_client import cli, plugins
from triptych_client import schema as answer_schema
from triptych_client.errors import InvalidClip
from triptych_client.output import Format, Look, Sieve, write_folder
from triptych_client.plugins import SERVER_COMMANDS
from triptych_client.progress import ClipProgress
from triptych_client.protocol import CLIP_LIMIT
from triptych_client.results import Outcome

NO_SERVER = ("--url", "127.0.0.1:1")
Run = Callable[..., int]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `triptych` with arguments and return its exit code."""
    monkeypatch.delenv("TRIPTYCH_TOKEN", raising=False)
    monkeypatch.setenv("GRPC_VERBOSITY", "NONE")  # the command sets it so; here it goes with the test

    def call(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["triptych", *arguments])
        with pytest.raises(SystemExit) as exit_:
            cli.main()
        return int(exit_.value.code or 0)

    return call


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Install a package that brings a command `wave`, with a given body."""

    def install(body: str) -> None:
        info = tmp_path / "site" / "some_server-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some-server\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[triptych.commands]\nwave = some_server_command:wave\n")
        (tmp_path / "site" / "some_server_command.py").write_text(
            f'class TriptychError(Exception): pass\ndef wave(port: int = 8001):\n    """Wave it."""\n    {body}\n'
        )
        monkeypatch.syspath_prepend(str(tmp_path / "site"))
        monkeypatch.delitem(sys.modules, "some_server_command", raising=False)

    return install


def test_help_lists_all_commands(run: Run, capsys: pytest.CaptureFixture[str]):
    assert run("--help") == 0
    text = capsys.readouterr().out
    assert all(command in text for command in ("analyze", "schema", *SERVER_COMMANDS))


def test_versions(run: Run, capsys: pytest.CaptureFixture[str]):
    assert run("--version") == 0
    assert "triptych-client 0." in capsys.readouterr().out


@pytest.mark.parametrize("command", SERVER_COMMANDS)
def test_server_commands_tell_what_they_need(
    command: str, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(plugins, "entry_points", lambda group: [])
    assert run(command, "--any", "thing") == 2
    told = capsys.readouterr().err
    assert f"`triptych {command}` needs the server package: pip install '.[export,demo]' in a checkout" in told
    assert "pip install './triptych-0.1.0-py3-none-any.whl[export,demo]' beside its wheel" in told


def test_schema_is_printed(run: Run, capsys: pytest.CaptureFixture[str]):
    assert run("schema") == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(answer_schema.load()))


def test_unknown_command_is_a_usage_error(run: Run):
    assert run("dance") == 2


def test_installed_command_runs_with_its_options(plugin, run: Run, capsys: pytest.CaptureFixture[str]):
    plugin("print('serving on', port)")
    assert run("wave", "--port", "9000") == 0
    assert "serving on 9000" in capsys.readouterr().out
    assert run("wave", "--port", "nine") == 2
    assert run("--help") == 0
    assert "Wave it." in capsys.readouterr().out


def test_installed_command_may_have_commands_of_its_own(plugin, run: Run, capsys: pytest.CaptureFixture[str]):
    plugin("")
    module = Path(sys.path[0]) / "some_server_command.py"
    module.write_text(
        "import typer\nwave = typer.Typer()\n"
        "@wave.command()\ndef left(): print('left')\n@wave.command()\ndef right(): print('right')\n"
    )
    assert run("wave", "right") == 0
    assert capsys.readouterr().out == "right\n"


def test_error_of_an_installed_command_is_one_line(plugin, run: Run, capsys: pytest.CaptureFixture[str]):
    plugin("raise TriptychError('port 8001\\n is taken')")
    assert run("wave") == 1
    assert capsys.readouterr().err == "port 8001 is taken\n"


def test_bug_in_an_installed_command_is_a_traceback(plugin, monkeypatch: pytest.MonkeyPatch):
    plugin("raise KeyError('oops')")
    monkeypatch.setattr(sys, "argv", ["triptych", "wave"])
    with pytest.raises(KeyError, match="oops"):
        cli.main()


def test_no_server_is_one_line(run: Run, capsys: pytest.CaptureFixture[str]):
    assert run("analyze", "clip.mp4", *NO_SERVER) == 1
    assert capsys.readouterr().err == "no server at 127.0.0.1:1; start one with `triptych serve`\n"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("clip.mp4", "--format", "docx"),
        ("clip.mp4", "--lang", "de"),
        ("clip.mp4", "--task", "summarise"),
        ("clip.mp4", "--concurrency", "0"),
        ("clip.mp4", "--timeout", "-1"),
        ("a.mp4", "b.mp4", "--format", "vtt"),
        ("a.mp4", "b.mp4", "--format", "html"),
        ("a.mp4", "b.mp4", "--annotate", "copy.mp4"),
        ("a.mp4", "--annotate", "./a.mp4"),
        ("a.mp4", "--redact"),
        ("a/x.mp4", "b/x.mp4", "--out", "answers/"),
    ],
)
def test_usage_errors(arguments: tuple[str, ...], run: Run):
    assert run("analyze", *arguments, *NO_SERVER) == 2


def test_folder_without_media_is_a_usage_error(tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "notes.txt").touch()
    assert run("analyze", str(tmp_path), *NO_SERVER) == 2
    assert "no media file" in capsys.readouterr().err


def test_folder_gets_a_file_each(tmp_path: Path):
    targets = [tmp_path / "deep" / "a.vtt", tmp_path / "b.vtt"]
    write_folder([(1, samples.analysis()), (0, samples.nothing())], targets, Format.VTT, Look("ru"))
    assert "Грусть" in targets[1].read_text(encoding="utf-8")
    assert targets[0].read_text(encoding="utf-8") == "WEBVTT\n\n"


@pytest.mark.parametrize(
    ("format", "told"),
    [(Format.TEXT, "a.mp4: no sound\n"), (Format.JSONL, '{"path": "a.mp4", "error": "no sound"}\n')],
)
def test_failed_clips_are_told_and_the_others_pass(format: Format, told: str, capsys: pytest.CaptureFixture[str]):
    outcomes = [
        Outcome(0, "a.mp4", error=InvalidClip("no sound", "a.mp4")),
        Outcome(1, "b.mp4", analysis=samples.analysis()),
    ]
    with ClipProgress(2) as progress:
        sieve = Sieve(progress, format)
        assert [index for index, _ in sieve.passed(outcomes)] == [1]
    assert sieve.failed == 1
    assert capsys.readouterr() == ("", told)


def test_a_clip_over_the_limit_of_the_server_is_one_line_and_the_others_go_on(
    tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
):
    for name, size in (("a.mp4", 10), ("b.mp4", 8 << 30), ("c.mp4", 20)):
        with (tmp_path / name).open("wb") as file:
            os.truncate(file.fileno(), size)  # a hole: takes no room on the disk, and too much in memory
    with ScriptedServer(extensions=("statistics", f"{CLIP_LIMIT}1048576")) as server:
        assert run("analyze", str(tmp_path), "--url", server.url, "--format", "jsonl") == 1
    told = capsys.readouterr()
    assert [json.loads(line)["clip"]["path"] for line in told.out.splitlines()] == [
        str(tmp_path / "a.mp4"),
        str(tmp_path / "c.mp4"),
    ]
    (failed,) = map(json.loads, told.err.splitlines())
    assert failed["path"] == str(tmp_path / "b.mp4")
    assert failed["error"].startswith("the file is 8192 MiB; the limit is 1 MiB")
    assert sorted(len(request.raw_input_contents[0]) for request in server.requests) == [10, 20]


def test_a_busy_server_is_waited_for(tmp_path: Path, run: Run):
    (tmp_path / "a.mp4").write_bytes(b"1234")
    with ScriptedServer([Refusal(BUSY, retry_after_ms=1)] * 4) as server:
        assert run("analyze", str(tmp_path / "a.mp4"), "--url", server.url, "--out", f"{tmp_path}/out.txt") == 0
    assert len(server.requests) == 5


@pytest.mark.parametrize(
    ("extensions", "told"),
    [
        ((f"{CLIP_LIMIT}67108864",), "a clip of at most 64 MiB\n"),
        (("67108864", f"{CLIP_LIMIT}-1", f"{CLIP_LIMIT}many"), "the server does not say\n"),
    ],
)
def test_limits_can_be_asked_for(extensions: tuple[str, ...], told: str, run: Run, capsys: pytest.CaptureFixture[str]):
    with ScriptedServer(extensions=extensions) as server:
        assert run("limits", "--url", server.url) == 0
    assert capsys.readouterr().out == told


def test_a_token_comes_from_a_file_or_the_environment(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "token"
    file.write_text("s3cret\n")
    with ScriptedServer(token="s3cret") as server:
        assert run("limits", "--url", server.url) == 1
        assert run("limits", "--url", server.url, "--token-file", str(file)) == 0
        monkeypatch.setenv("TRIPTYCH_TOKEN", "wrong")
        assert run("limits", "--url", server.url) == 1
        assert run("limits", "--url", server.url, "--token-file", str(file)) == 0, "a file goes first"
        monkeypatch.setenv("TRIPTYCH_TOKEN", "s3cret")
        assert run("limits", "--url", server.url) == 0
        assert run("limits", "--url", "server.example:8001") == 1
        assert run("limits", "--url", server.url, "--token-file", str(tmp_path / "gone")) == 1
    said = capsys.readouterr().err.splitlines()
    assert [line for line in said if "s3cret" in line] == []
    assert "wants a token" in said[0]
    assert "does not accept the token" in said[1]
    assert "would travel in plain text" in said[2]
    assert "gone: cannot be read: No such file or directory" in said[3]


def test_grpc_adds_no_lines_of_its_own():
    command = [sys.executable, "-c", "from triptych_client.cli import main; main()"]
    with ScriptedServer() as server:
        result = subprocess.run(
            [*command, "limits", "--tls", "--url", server.url], capture_output=True, text=True, check=False
        )
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert "speaks no TLS" in line
