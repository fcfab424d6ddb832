"""An S3 on this machine (moto's server), which can be told to answer errors."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from threading import Event, Thread
from typing import Any

import fsspec
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

BUCKET = "clips"
SLOW_DOWN = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message>'
    b"</Error>"
)
KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "us-east-1"}


class _Silent(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Write nothing."""


class S3:
    """Listens while it is entered, with one empty bucket. While `failing` is set, each request is answered 503."""

    def __init__(self) -> None:
        self.failing = Event()
        self.errors = self.reads = 0
        """Requests that were answered with an error, and clips that were read."""
        self.written_s = 0.0
        """When something was written last, by time.monotonic()."""
        self._app = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=_Silent)
        self.environment = {**KEYS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._server.port}"}
        self._thread = Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> S3:
        self._thread.start()
        self.files.mkdir(BUCKET)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()

    @property
    def files(self) -> Any:
        """The file system, for this process; it sees what others have written meanwhile."""
        return fsspec.filesystem(
            "s3",
            key=KEYS["AWS_ACCESS_KEY_ID"],
            secret=KEYS["AWS_SECRET_ACCESS_KEY"],
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            use_listings_cache=False,
        )

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.reads += environ["REQUEST_METHOD"] == "GET" and environ["PATH_INFO"].startswith(f"/{BUCKET}/in/")
        if self.failing.is_set():
            self.errors += 1
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start_response(
                "503 Slow Down", [("Content-Type", "application/xml"), ("Content-Length", str(len(SLOW_DOWN)))]
            )
            return [SLOW_DOWN]
        answer = self._app(environ, start_response)
        if environ["REQUEST_METHOD"] == "PUT":
            self.written_s = time.monotonic()
        return answer
