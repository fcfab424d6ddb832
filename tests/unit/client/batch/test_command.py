"""`triptych batch` as it is typed: what is wrong is one line, before a cluster is made, and the exit code tells."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from samples.analyze import run
from samples.blocked import python_without
from samples.faulty_store import faulty_store
from samples.scripted_server import ScriptedServer
from triptych.paths import ROOT
from triptych_client import plugins
from triptych_client.batch import manifest, serving
from triptych_client.batch.job import Job, Wish
from triptych_client.batch.stores import Patience

Batch = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def batch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Batch:
    """Run the command on a manifest, and return its exit code and what it said."""

    def call(*arguments: str, out: str = f"{tmp_path}/out") -> tuple[int, list[str]]:
        code = run(monkeypatch, "batch", *arguments, "--out", out, "--patience", "0")
        return code, capsys.readouterr().err.splitlines()

    return call


@pytest.fixture
def listing(tmp_path: Path) -> str:
    (tmp_path / "clip.mp4").write_bytes(b"clip")
    (tmp_path / "clips.txt").write_text("clip.mp4\nclip.mp4\n")
    return str(tmp_path / "clips.txt")


def test_a_manifest_that_is_not_there(batch: Batch, tmp_path: Path):
    assert batch(f"{tmp_path}/none.csv") == (3, [f"{tmp_path}/none.csv: there is no such manifest"])


def test_a_manifest_without_the_column(batch: Batch, tmp_path: Path):
    (tmp_path / "it.csv").write_text("file\na.mp4\n")
    code, (line,) = batch(f"{tmp_path}/it.csv")
    assert (code, line.partition(": ")[2]) == (
        3,
        "it has no column 'path' but file; name the one with the clips by --column",
    )


def test_a_store_that_does_not_answer_or_lets_nobody_in(batch: Batch, listing: str):
    with faulty_store() as store:
        for error, said in (
            (ConnectionError("no route to host"), "the store does not answer as it should (ConnectionError: no route"),
            (PermissionError("InvalidAccessKeyId"), "the store lets nobody in with these credentials (InvalidAccess"),
        ):
            store.faults.append(error)
            code, lines = batch(listing, out="faulty://bucket/out")
            assert code == 3
            assert lines[-1].startswith(f"faulty://bucket/out/_triptych/plan.json: {said}")
            assert lines[:-1] == ["named more than once in the manifest, and analysed once: 1"]


def test_a_store_of_another_kind(batch: Batch, listing: str):
    code, lines = batch(listing, out="nostore://bucket/out")
    assert (code, lines[-1]) == (
        3,
        "nostore://bucket/out: no store is known by that beginning (Protocol not known: nostore)",
    )


def test_no_server_at_the_address(batch: Batch, listing: str):
    code, lines = batch(listing, "--url", "127.0.0.1:1")
    assert (code, lines[-1]) == (3, "no server at 127.0.0.1:1; start one with `triptych serve`")


def test_a_token_that_is_not_the_servers(batch: Batch, listing: str, tmp_path: Path):
    (tmp_path / "token").write_text("mine")
    with ScriptedServer(token="other") as server:
        code, lines = batch(listing, "--url", server.url, "--token-file", str(tmp_path / "token"))
    assert (code, lines[-1]) == (3, f"the server at {server.url} does not accept the token")


def test_a_job_that_is_done_needs_no_cluster(batch: Batch, listing: str, tmp_path: Path):
    work = Job(manifest.read(listing, "path", Patience(0)), Wish(f"{tmp_path}/out"), lambda line: None)
    work.ledger.open()
    work.ledger.commit(0, [])
    code, lines = batch(listing, "--url", "127.0.0.1:1")
    assert code == 0
    assert lines[-1].startswith("0 answered")


@pytest.mark.parametrize(
    ("missing", "said"),
    [("ray", "triptych batch needs the package ray: pip install './client[batch]'"), ("tenacity", "package tenacity")],
)
def test_what_is_not_installed_is_named(missing: str, said: str, listing: str, tmp_path: Path):
    code = "from triptych_client.cli import main; main()"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "client")}
    environment.update(python_without(tmp_path, missing))
    environment["PYTHONPATH"] += os.pathsep + str(ROOT / "client")
    with ScriptedServer() as server:
        command = [sys.executable, "-c", code, "batch", listing, "--out", f"{tmp_path}/out", "--url", server.url]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == (3 if missing == "ray" else 1)
    assert said in done.stderr.splitlines()[-1]


def test_a_machine_without_the_servers_package(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(plugins, "installed", dict)
    with pytest.raises(serving.NotServed, match=r"has no server to start: pip install .* or name servers .* by --url"):
        serving.Kept()


def test_a_machine_without_exported_models_says_what_the_server_says(tmp_path: Path):
    kept = serving.Kept([f"--repository={tmp_path}"])
    try:
        with pytest.raises(serving.NotServed, match=r"cannot serve: .*triptych export"):
            kept.url()
    finally:
        kept.stop()
