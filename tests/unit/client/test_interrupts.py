"""Ctrl-C while outcomes are waited for, also when its signal does not end the wait."""

from __future__ import annotations

import signal
from collections.abc import Callable
from concurrent.futures import Future
from threading import Event, Thread, get_ident

import pytest

from triptych_client import client
from triptych_client.errors import TriptychClientError
from triptych_client.results import Outcome

WORTH_WAITING_S = 60


@pytest.mark.parametrize("done", [client._any_done, client._leading_done])
def test_a_signal_that_does_not_end_the_wait_is_noticed(done: Callable[[list[Future[Outcome]]], object]):
    """Another thread takes it, as if it came just before the wait: nothing wakes the main thread, which it is for."""
    pending: Future[Outcome] = Future()
    over = Event()

    def interrupt() -> None:
        while not pending._waiters:  # until the main thread waits
            pass
        signal.pthread_kill(get_ident(), signal.SIGINT)
        if not over.wait(WORTH_WAITING_S):
            pending.set_result(Outcome(0, "a.mp4", error=TriptychClientError("nobody noticed")))

    other = Thread(target=interrupt)
    try:
        other.start()
        with pytest.raises(KeyboardInterrupt):
            done([pending])
        assert not pending.done(), "it was noticed only when the wait was over"
    finally:
        over.set()
        other.join()
