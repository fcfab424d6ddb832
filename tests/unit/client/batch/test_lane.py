"""One piece at a server: what is asked again, how often, and what ends the job."""

from __future__ import annotations

import grpc
import pytest

from samples.scripted_server import BUSY, UNAVAILABLE, Refusal, ScriptedServer
from triptych_client import Client, Unauthenticated, Unavailable
from triptych_client.batch.lane import MOST_ATTEMPTS, Asked, Lane
from triptych_client.batch.pieces import Piece

INTERNAL = Refusal(grpc.StatusCode.INTERNAL, "a step failed")
CLIP = Piece(7, data=b"clip", retries=("the store was slow",))


def ask(server: ScriptedServer, piece: Piece = CLIP, **options) -> Piece:
    with Client(server.url) as client:
        return Lane(client, Asked(**options), 0, lambda seconds: None).ask(piece)


def test_an_answer_after_failures_says_what_was_tried_again_and_why():
    with ScriptedServer([INTERNAL, Refusal(BUSY, "queue size"), INTERNAL]) as server:
        piece = ask(server, task="translate", language="ru")
    assert piece.part().analysis is not None
    assert (piece.clip, piece.data, piece.error) == (7, b"", "")
    assert [reason.partition(":")[0] for reason in piece.retries] == [
        "the store was slow",
        "ServerError",
        "ServerBusy",
        "ServerError",
    ]
    assert {name: it.string_param for name, it in server.requests[0].parameters.items()} == {
        "task": "translate",
        "language": "ru",
    }


def test_a_clip_that_always_fails_is_given_up():
    with ScriptedServer([INTERNAL] * 20) as server:
        piece = ask(server)
    assert piece.kind == "ServerError"
    assert "a step failed" in piece.error
    assert len(server.requests) == MOST_ATTEMPTS
    assert len(piece.retries) == MOST_ATTEMPTS


def test_a_clip_with_which_the_server_is_lost_is_not_asked_for_ever():
    with ScriptedServer([Refusal(UNAVAILABLE, "lost twice", retry_after_ms=-1)] * 20) as server:
        piece = ask(server)
    assert piece.kind == "Unavailable"
    assert piece.part().analysis is None


def test_what_is_the_clips_own_fault_is_not_asked_again():
    with ScriptedServer([Refusal(grpc.StatusCode.INVALID_ARGUMENT, "neither picture nor sound")]) as server:
        piece = ask(server)
        assert len(server.requests) == 1
    assert (piece.kind, piece.error) == ("InvalidClip", "neither picture nor sound")


def test_what_could_not_be_read_is_passed_on_unasked():
    with ScriptedServer() as server:
        piece = Piece(1, kind="StoreError", error="there is nothing there")
        assert ask(server, piece) == piece
        assert server.requests == []


def test_a_token_that_is_wrong_is_wrong_for_every_clip():
    with ScriptedServer(token="other") as server, pytest.raises(Unauthenticated):
        ask(server)


def test_a_server_that_stays_away_ends_the_job():
    with Client("127.0.0.1:1") as client, pytest.raises(Unavailable):
        Lane(client, Asked(), 0, lambda seconds: None).ask(CLIP)
