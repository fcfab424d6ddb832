"""The log of one server: its own, bounded, and with the words of the latest start."""

from __future__ import annotations

from pathlib import Path

import pytest

from triptych.serving import logs
from triptych.serving.logs import Log


def test_a_log_that_has_grown_too_large_keeps_its_end_and_what_is_written_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(logs, "MOST_BYTES", 100)
    monkeypatch.setattr(logs, "TAIL_BYTES", 10)
    log = Log(tmp_path, "triptych-a")
    with log.path.open("ab", buffering=0) as server:
        server.write(b"x" * 90)
        log.trim()
        assert log.path.stat().st_size == 90
        server.write(b"y" * 20)
        log.trim()
        server.write(b"z")
    assert log.path.read_bytes() == b"y" * 10 + b"z"
    log.release()


def test_the_complaints_are_those_of_the_latest_start(tmp_path: Path):
    log = Log(tmp_path, "triptych-a")
    log.path.write_text("E1126 first start failed\n")
    log.mark()
    assert log.complaints() == ""
    with log.path.open("a") as server:
        server.write("I1126 loading\nE1126 second start failed\n")
    assert log.complaints() == "E1126 second start failed"
    log.release()


def test_without_a_complaint_the_first_and_the_last_words_are_given(tmp_path: Path):
    log = Log(tmp_path, "triptych-a")
    log.path.write_text("\n".join(map(str, range(9))))
    assert log.complaints().splitlines() == ["0", "5", "6", "7", "8"]
    log.release()


def test_the_logs_of_servers_that_run_stay(tmp_path: Path):
    running = [Log(tmp_path, f"triptych-{number}") for number in range(logs.KEPT + 2)]
    assert len(list(tmp_path.iterdir())) == logs.KEPT + 2
    for log in running:
        log.release()
    Log(tmp_path, "triptych-next").release()
    assert len(list(tmp_path.iterdir())) == logs.KEPT
