"""`triptych batch` on two nodes with servers of their own and an S3, while things are killed: `make test-batch`.

It is left out where Ray or moto is not installed. `python -m benchmarks.batch` is the same with 300 clips.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="`make test-batch` installs it")
pytest.importorskip("moto", reason="`make test-batch` installs it")

from benchmarks.batch import proof
from benchmarks.batch.__main__ import survival
from benchmarks.batch.s3 import BUCKET, S3
from samples.scripted_server import ScriptedServer
from triptych_client.batch import stores
from triptych_client.batch.stores import Folder, Patience, StoreError

CLIPS, FILMS = 60, 1
LOST = 2


@pytest.fixture
def s3() -> Iterator[S3]:
    with S3() as running:
        yield running


@pytest.mark.server
def test_nothing_is_lost_and_nothing_doubled_whatever_dies(repository: Path, tmp_path: Path):
    found = survival(CLIPS, FILMS, tmp_path / "log", repository)
    assert found.wrong == []
    assert (found.clips, found.failed, found.status) == (CLIPS + LOST, LOST, 1)
    assert len(found.killed) == len(proof.FAULTS) + 1


def test_a_job_asks_a_fleet_by_its_address(s3: S3, tmp_path: Path):
    """On one node that the job makes for itself; the server is scripted: what is asked is what counts."""
    wanted = proof.put_clips(s3, 12, 1)
    out = f"s3://{BUCKET}/out"
    with ScriptedServer() as server:
        command = [f"s3://{BUCKET}/manifest.txt", "--out", out, "--url", server.url, "--window", "8"]
        run = proof.Run.start(command, s3.environment, tmp_path / "log")
        assert run.process.wait(proof.PATIENCE_S) == 1, run.lines
        assert len({request.raw_input_contents[0] for request in server.requests}) > len(wanted.lengths)
    rows = proof.look(s3, run, wanted, out, [], 0.0)
    assert (rows.clips, rows.failed) == (len(wanted.lengths) + LOST, 1)


def test_an_s3_that_fails_is_asked_again_and_one_that_is_not_there_is_told(s3: S3, monkeypatch: pytest.MonkeyPatch):
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    waits: list[float] = []

    def rest(seconds: float) -> None:
        waits.append(seconds)
        s3.failing.clear()

    notes: list[str] = []
    folder = Folder(f"s3://{BUCKET}/it", Patience(120, rest), notes.append)
    s3.failing.set()
    folder.write("one", b"1")
    assert (folder.read("one"), folder.names("")) == (b"1", ["one"])
    assert len(waits) == len(notes) >= 1
    with pytest.raises(StoreError, match=r"^s3://nobucket/it/one: .*"):
        Folder("s3://nobucket/it", Patience(0)).write("one", b"1")
    assert stores.is_local(stores.opened("s3://it")[0]) is False
