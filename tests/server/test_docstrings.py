"""The examples in the client's docstrings, as they stand there, against the session's real server."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

from samples import clips

pytestmark = pytest.mark.server

WRITTEN = "localhost:8001"
"""The server of the examples, in whose place the session's is asked."""


@pytest.mark.parametrize("name", ["client", "aio", "results", "footage"])
def test_examples_do_what_they_say(name: str, server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("clip.mp4").write_bytes(clips.make(clips.greys(25), clips.tone(2.5)))
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.FAIL_FAST)
    for test in doctest.DocTestFinder().find(import_module(f"triptych_client.{name}"), globs={}):
        for example in test.examples:
            example.source = example.source.replace(WRITTEN, server.grpc_url)
        runner.run(test, out=said.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(said)
    assert runner.tries > 0
