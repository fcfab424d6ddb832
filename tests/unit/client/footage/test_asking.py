"""Files of a command line, short clips and films among them; films that are interrupted, and go on."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from samples import films
from samples.analyze import run
from samples.scripted_server import Refusal, ScriptedServer
from triptych_client import Analysis, Client, TriptychClientError, asking
from triptych_client.asking import Asking
from triptych_client.footage import media, sending
from triptych_client.footage.parts import Part
from triptych_client.progress import ClipProgress
from triptych_client.protocol import CLIP_LIMIT, SECONDS_LIMIT

SAYS = (f"{CLIP_LIMIT}{64 << 20}", f"{SECONDS_LIMIT}8.25")
"""A server whose clips are so short that a window's own stretch is four seconds."""
WINDOWS = 3


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return films.write(tmp_path_factory.mktemp("films") / "film.mp4", 12)


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let somebody press Ctrl-C when the first window of a film is answered."""
    stream = sending.stream

    def until_interrupted(*arguments, **options) -> Iterator[Part]:
        yield next(stream(*arguments, **options))
        raise KeyboardInterrupt

    monkeypatch.setattr(sending, "stream", until_interrupted)


def parts_of(answer: Analysis) -> list[str]:
    assert answer.footage is not None
    return [part.error for part in answer.footage.parts]


def test_a_film_among_clips_is_answered_in_its_place(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "a.mp4").write_bytes(b"short")
    (tmp_path / "z.mp4").write_bytes(b"short too")
    (tmp_path / "m.mp4").symlink_to(film)
    out = tmp_path / "out.json"
    with ScriptedServer(extensions=SAYS) as server:
        arguments = ("analyze", str(tmp_path), "--url", server.url, "--format", "json", "--out", str(out))
        assert run(monkeypatch, *arguments) == 0
    answers = [Analysis.from_dict(told) for told in json.loads(out.read_text(encoding="utf-8"))]
    assert [Path(answer.clip.path or "").name for answer in answers] == ["a.mp4", "m.mp4", "z.mp4"]
    assert answers[0].footage is answers[2].footage is None
    assert parts_of(answers[1]) == [""] * WINDOWS
    assert answers[1].clip.duration_s == pytest.approx(12.0, abs=0.1)
    assert len(server.requests) == WINDOWS + 2
    assert not list(tmp_path.glob(".triptych-*"))


def test_an_interrupted_film_tells_what_is_done_and_goes_on(film: Path, tmp_path: Path, interrupted, monkeypatch):
    with ScriptedServer(extensions=SAYS) as server, Client(server.url) as client, ClipProgress(1) as progress:
        first = Asking(client, progress, 1, journals=tmp_path)
        (outcome,) = first.in_order([film])
        assert first.interrupted
        assert outcome.analysis is not None
        assert outcome.analysis.footage is not None
        assert (outcome.analysis.footage.complete, outcome.analysis.footage.interrupted) == (False, True)
        monkeypatch.undo()
        asked = len(server.requests)
        again = Asking(client, progress, 1, journals=tmp_path)
        (outcome,) = again.as_done([film])
        assert outcome.analysis is not None
        assert parts_of(outcome.analysis) == [""] * WINDOWS
        assert len(server.requests) == asked + WINDOWS - 1
        assert list(tmp_path.iterdir())
        again.forget()
    assert not list(tmp_path.iterdir())


def test_an_interrupted_film_of_an_archive_is_no_answer_yet(film: Path, tmp_path: Path, interrupted, monkeypatch):
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "film.mp4").symlink_to(film)
    arguments = ("analyze", f"{tmp_path}/clips", "--out", f"{tmp_path}/out/", "--format", "json")
    ended: list[int] = []
    monkeypatch.setattr(asking.Asking, "forget", lambda self: ended.append(len(self._kept)))
    monkeypatch.setattr("signal.raise_signal", ended.append)
    with ScriptedServer(extensions=SAYS) as server:
        assert run(monkeypatch, *arguments, "--url", server.url) == 130
        told = json.loads((tmp_path / "out" / "film.json").read_text(encoding="utf-8"))
        assert told["footage"]["interrupted"]
        monkeypatch.undo()
        assert run(monkeypatch, *arguments, "--url", server.url) == 0
    told = json.loads((tmp_path / "out" / "film.json").read_text(encoding="utf-8"))
    assert told["footage"]["complete"]
    assert ended[0] == 0


def test_a_window_that_fails_is_told_and_asked_again_when_told_to(film: Path, tmp_path: Path, monkeypatch):
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "film.mp4").symlink_to(film)
    arguments = ("analyze", f"{tmp_path}/clips", "--out", f"{tmp_path}/out/", "--format", "json", "--concurrency", "1")
    with ScriptedServer([Refusal(grpc.StatusCode.INTERNAL, "boom")], extensions=SAYS) as server:
        assert run(monkeypatch, *arguments, "--url", server.url) == 0
        told = json.loads((tmp_path / "out" / "film.json").read_text(encoding="utf-8"))["footage"]
        assert ["boom" in part["error"] for part in told["parts"]] == [True, False, False]
        assert run(monkeypatch, *arguments, "--url", server.url) == 0
        assert len(server.requests) == WINDOWS
        assert run(monkeypatch, *arguments, "--url", server.url, "--retry-failed") == 0
        assert len(server.requests) == WINDOWS + 1
    assert json.loads((tmp_path / "out" / "film.json").read_text(encoding="utf-8"))["footage"]["complete"]


def test_without_pyav_the_refusal_says_what_would_cut_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    (tmp_path / "clip.mp4").write_bytes(b"long")
    monkeypatch.setattr(asking, "find_spec", lambda name: None)
    refusal = Refusal(grpc.StatusCode.INVALID_ARGUMENT, "the clip is 93.2 s long; the limit is 60 s")
    with ScriptedServer([refusal]) as server:
        assert run(monkeypatch, "analyze", str(tmp_path / "clip.mp4"), "--url", server.url) == 1
    assert "pip install 'triptych-client[footage]'" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(TriptychClientError, match="pip install av"):
        media.library()
