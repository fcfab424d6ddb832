"""A server that goes away in the middle of many clips, and comes back."""

from __future__ import annotations

import itertools
from contextlib import suppress

import pytest

from samples.scripted_server import ScriptedServer
from triptych_client import Client, Unavailable, outages


def test_clips_that_met_no_server_are_sent_again_and_none_twice():
    """The server stops after the second clip, and another takes its place while the run waits."""
    running = ScriptedServer().__enter__()
    port, answered = running.port, [running]

    def back(_: float) -> None:
        with suppress(RuntimeError):  # the one before has not let go of the port yet: the run waits once more
            answered.append(ScriptedServer(address=f"127.0.0.1:{port}").__enter__())

    with Client(f"127.0.0.1:{port}") as client:
        outcomes = outages.stream(client, map(str.encode, "abcdef"), concurrency=1, rest=back)
        told = list(itertools.islice(outcomes, 2))
        running.__exit__()
        told += outcomes
    answered[-1].__exit__()
    assert sorted(outcome.index for outcome in told) == list(range(6))
    assert all(outcome.analysis for outcome in told)
    sent = [request.raw_input_contents[0] for server in answered for request in server.requests]
    assert sorted(sent) == [letter.encode() for letter in "abcdef"]


def test_a_server_that_stays_away_ends_the_run():
    rests: list[float] = []
    with ScriptedServer() as server:
        url = server.url
    with Client(url) as client, pytest.raises(Unavailable, match="no server at"):
        list(outages.stream(client, [b"a"], concurrency=1, patience_s=0.0, rest=rests.append))
    assert rests == []
