"""A nursery: a small process that has the decoding libraries loaded, and forks a decoder whenever it is asked to.

Forking takes milliseconds where starting takes a third of a second, and is safe from a process of one thread. It has
nothing of the server's: neither its environment, with what malloc was told there, nor its open files. For each decoder
it holds a *leash*, a socket to the step: who drops the other end ends the decoder, and how it ended is told there.
When the step's own process ends, so does the nursery, and all decoders with it.

multiprocessing's fork server does nearly this. It is not taken because it starts with the server's environment, imports
the parent's `__main__` in each child, keeps a tracker of named shared memory that a child could write to, and fails to
say so when a module cannot be preloaded.
"""

from __future__ import annotations

import contextlib
import faulthandler
import fcntl
import json
import os
import selectors
import signal
import socket
import struct
import sys
from typing import NoReturn

from triptych.media.decoders import sandbox, worker
from triptych.media.decoders.bounds import Bounds

FORK = b"fork"
"""The request: with it come a decoder's socket, its memory for results, its pipe for errors, and the leash."""
DESCRIPTORS = 4
EXIT_STATUS = struct.Struct("i")
CHANNEL, RESULTS = 3, 4
"""Where a decoder has its socket and its memory, after standard input, output and errors."""


def main() -> None:
    """Serve the step whose socket and bounds are on the command line."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # a server's threads block signals, which is inherited
    worker.load()
    faulthandler.enable()  # for the decoders, from their first moment: a fork keeps it, and standard errors' number
    control = socket.socket(fileno=int(sys.argv[1]))
    _Nursery(control, Bounds(**json.loads(sys.argv[2]))).serve()


class _Nursery:
    def __init__(self, control: socket.socket, bounds: Bounds) -> None:
        self.control = control
        self.bounds = bounds
        self.process = os.getpid()
        self.filtered = False
        self.leashes: dict[int, socket.socket] = {}
        self.selector = selectors.DefaultSelector()
        self.selector.register(control, selectors.EVENT_READ, self.fork)
        self.woken, wake = socket.socketpair()
        for end in (self.woken, wake):
            end.setblocking(False)
        self.selector.register(self.woken, selectors.EVENT_READ, self.reap)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(wake.detach())

    def serve(self) -> None:
        """Say why decoders are not filtered ("": they are), then do what is asked until the step's process ends."""
        reason = sandbox.available()
        self.filtered = not reason
        self.control.send(json.dumps(reason).encode())
        while True:
            for key, _ in self.selector.select():
                key.data()

    def fork(self) -> None:
        request, descriptors, *_ = socket.recv_fds(self.control, len(FORK), DESCRIPTORS)
        if not request:
            os._exit(0)  # the decoders end with their parent
        *kept, leash = descriptors
        try:
            child = os.fork()
        except OSError:  # no more processes: the step finds its ends closed
            child = None
        if child == 0:
            self.become_decoder(*kept)
        for descriptor in kept:
            os.close(descriptor)
        end = socket.socket(fileno=leash)
        if child is None:
            end.close()
            return
        self.leashes[child] = end
        self.selector.register(end, selectors.EVENT_READ, lambda: self.end(child))

    def become_decoder(self, channel: int, results: int, errors: int) -> NoReturn:
        """In the child: keep a null device and what came with the request, and close all else."""
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            sandbox.end_with_parent(self.process)
            high = [fcntl.fcntl(kept, fcntl.F_DUPFD, RESULTS + 1) for kept in (errors, channel, results)]
            for kept, place in zip(high, (sys.stderr.fileno(), CHANNEL, RESULTS)):
                os.dup2(kept, place)
            os.closerange(RESULTS + 1, os.sysconf("SC_OPEN_MAX"))
            worker.main(socket.socket(fileno=CHANNEL), RESULTS, self.bounds, self.filtered)
        finally:
            os._exit(worker.FAILED)

    def end(self, child: int) -> None:
        if child not in self.leashes:  # it ended by itself in the same moment, and was reaped before its leash was read
            return
        self.selector.unregister(self.leashes[child])
        os.kill(child, signal.SIGKILL)  # it is not reaped yet, so the number is still its own

    def reap(self) -> None:
        self.woken.recv(1 << 10)
        while self.leashes:
            child, status = os.waitpid(-1, os.WNOHANG)
            if child == 0:
                return
            with self.leashes.pop(child) as leash:
                if leash in self.selector.get_map():
                    self.selector.unregister(leash)
                with contextlib.suppress(OSError):  # the step has let go of it
                    leash.send(EXIT_STATUS.pack(os.waitstatus_to_exitcode(status)))
