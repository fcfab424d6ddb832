"""What a step holds of its nursery and of each decoder: processes at the far ends of sockets.

Whoever closes a handle ends the process.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from triptych.errors import TriptychError
from triptych.media.decoders import memory, messages, nursery, worker
from triptych.media.decoders.bounds import Bounds
from triptych.media.decoders.messages import AnyReply, HostileReplyError, Task

POLL_S = 0.05
"""How often it is asked whether the caller has left."""

START_S = 60.0
"""A nursery imports PyAV and numpy within a second; on a machine that is busy starting a server, within ten."""

LAST_WORDS_S = 5.0
"""How long the exit status of a decoder that has closed its socket may take: it is dead, or does not mean to be."""

LAST_WORDS_BYTES = 4096
"""So much of what a decoder wrote to its standard errors is read."""

CAUSES = ("crash", "memory", "cpu", "time", "reply", "lost", "left")
"""Why a decoder ended before it had answered.

It crashed, by a signal or an error; it met its limit of memory, processor time or wall-clock time; it said what is no
reply; it was killed by somebody else (the kernel that has no memory left, an operator); its caller left.
"""

BOOT = """
import json, sys
sys.path[:] = json.loads(sys.argv.pop(1))
from triptych.media.decoders.nursery import main
main()
"""
"""A nursery finds the packages where the step does; its Python takes nothing else from where and how it is started."""

KEPT = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ")
"""Of the server's environment; a decoder has no use for its keys, its proxies and its settings of malloc."""

ADDED = {"OPENBLAS_NUM_THREADS": "1", "LIBC_FATAL_STDERR_": "1"}
"""numpy starts no threads, since a nursery forks; glibc says to standard errors why it gives up."""


class DiedError(Exception):
    """A decoder ended before it had answered: one of CAUSES, and what is known of it."""

    def __init__(self, cause: str, detail: str = "") -> None:
        super().__init__(f"{cause}: {detail}" if detail else cause)
        self.cause = cause


@dataclass(frozen=True)
class Caller:
    """For whom a clip is decoded: the id of the request ("": it has none), and whether it is waited for no more."""

    request_id: str = ""
    has_left: Callable[[], bool] = lambda: False


class Decoder:
    """A decoder that waits for tasks; `results` UINT8 [bytes] is the memory that it writes into."""

    def __init__(self, channel: socket.socket, leash: socket.socket, errors: int, results: np.ndarray) -> None:
        self.channel = channel
        self.leash = leash
        self.errors = errors
        self.results = results
        self.clips = 0
        """How many it was given."""

    def lives(self) -> bool:
        """Tell whether it still waits."""
        ends = select.poll()
        for end in (self.channel, self.leash):
            ends.register(end, select.POLLIN)
        return not ends.poll(0)

    def begin(self, task: Task, clip: int) -> None:
        """Give it a task, with the descriptor of the clip."""
        self.clips += 1
        try:
            messages.send_task(self.channel, task, clip)
        except ConnectionError as error:
            raise DiedError("lost") from error

    def answer(self, wall_s: float, caller: Caller) -> AnyReply:
        """Wait for the reply; DiedError when there is none, or not in time, or when nobody waits for it."""
        deadline = time.monotonic() + wall_s
        ready = select.poll()
        ready.register(self.channel, select.POLLIN)
        while not ready.poll(1000 * POLL_S):
            if caller.has_left():
                raise DiedError("left")
            if time.monotonic() > deadline:
                raise DiedError("time", f"after {wall_s:g} s")
        try:
            reply = messages.receive_reply(self.channel)
        except HostileReplyError as error:
            raise DiedError("reply", "what it said is no reply") from error
        except ConnectionError:
            reply = None
        if reply is None:
            raise self._death()
        return reply

    def last_words(self) -> str:
        """Return what it wrote to its standard errors: where it crashed, in Python."""
        try:
            words = os.read(self.errors, LAST_WORDS_BYTES)
        except BlockingIOError:  # it lives, and has written nothing
            return ""
        return "".join(letter for letter in words.decode("ascii", "replace") if letter.isprintable() or letter == "\n")

    def close(self) -> None:
        """End it, whatever it does."""
        self.leash.close()
        self.channel.close()
        os.close(self.errors)

    def _death(self) -> DiedError:
        """Return why it has closed its socket."""
        self.leash.settimeout(LAST_WORDS_S)
        try:
            status = self.leash.recv(nursery.EXIT_STATUS.size)
        except TimeoutError:
            return DiedError("reply", "it closed its socket, and goes on")
        return cause_of(nursery.EXIT_STATUS.unpack(status)[0]) if status else DiedError("lost", "its nursery is gone")


def cause_of(exit_status: int) -> DiedError:
    """Return what an exit status tells of a decoder that had not answered; a negative one is that of a signal."""
    if exit_status == -signal.SIGKILL:
        return DiedError("lost", "somebody killed it")
    if exit_status == -signal.SIGXCPU:
        return DiedError("cpu")
    if exit_status < 0:
        return DiedError("crash", signal.Signals(-exit_status).name)
    if exit_status == worker.OUT_OF_MEMORY:
        return DiedError("memory")
    return DiedError("crash", f"exit status {exit_status}")


class Nursery:
    """The process that forks the decoders of a step, whose results take so many bytes at most."""

    def __init__(self, bounds: Bounds, result_bytes: int) -> None:
        self.result_bytes = result_bytes
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        paths = json.dumps([os.path.abspath(path) for path in sys.path])
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-c", BOOT, paths, str(theirs.fileno()), json.dumps(asdict(bounds))],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={name: os.environ[name] for name in KEPT if name in os.environ} | ADDED,
                cwd="/",
                start_new_session=True,  # Ctrl-C on a terminal is for the server, which then ends this
            )
        self.unfiltered: str = self._greeting()
        """Why its decoders run without a filter of system calls; "": with it."""

    def fork(self) -> Decoder:
        """Return a new decoder at once: it is ready a few milliseconds later, and what it is sent waits for it."""
        channel, their_channel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        leash, their_leash = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        errors, their_errors = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        memory_of_both = memory.blank(self.result_bytes)
        theirs = [their_channel.fileno(), memory_of_both, their_errors, their_leash.fileno()]
        with their_channel, their_leash, contextlib.suppress(ConnectionError):  # the decoder is seen to be dead then
            socket.send_fds(self.control, [nursery.FORK], theirs)
        results = memory.read(memory_of_both, self.result_bytes)
        for descriptor in (their_errors, memory_of_both):
            os.close(descriptor)
        return Decoder(channel, leash, errors, results)

    def lives(self) -> bool:
        """Tell whether it runs."""
        return self.process.poll() is None

    def close(self) -> None:
        """End it, and with it its decoders."""
        self.control.close()
        try:
            self.process.wait(LAST_WORDS_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _greeting(self) -> str:
        self.control.settimeout(START_S)
        try:
            greeting = self.control.recv(messages.LARGEST)
        except (TimeoutError, ConnectionError):
            greeting = b""
        self.control.settimeout(None)
        if not greeting:
            self.close()
            raise TriptychError(
                f"the process that forks decoders did not start with {sys.executable}: the lines before this say why"
            )
        return json.loads(greeting)
