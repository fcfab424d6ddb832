"""A line to a server that breaks in the middle of a request."""

from __future__ import annotations

import socket
from contextlib import suppress
from threading import Thread


class SeveredLine:
    """Passes connections on to a port of this machine while it is entered.

    The first is cut, both ways and without a word, as soon as it brought so many bytes; the others hold. `connections`
    counts them.
    """

    def __init__(self, port: int, cut_after_bytes: int) -> None:
        self.connections = 0
        self._to = ("127.0.0.1", port)
        self._cut_after_bytes = cut_after_bytes
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.url = "{}:{}".format(*self._listener.getsockname())

    def __enter__(self) -> SeveredLine:
        Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for line in (self._listener, *self._open):
            _cut(line)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                server = socket.create_connection(self._to)
                self._open += [caller, server]
                self.connections += 1
                most = self._cut_after_bytes if self.connections == 1 else None
                Thread(target=_pass_on, args=(caller, server, most), daemon=True).start()
                Thread(target=_pass_on, args=(server, caller, None), daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket, most: int | None) -> None:
    passed = 0
    with suppress(OSError):
        while (most is None or passed < most) and (data := source.recv(1 << 16)):
            target.sendall(data)
            passed += len(data)
    _cut(source)
    _cut(target)


def _cut(line: socket.socket) -> None:
    with suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
    line.close()
