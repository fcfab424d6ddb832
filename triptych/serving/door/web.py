"""Metrics and health over HTTP, on a port of their own: what Prometheus and Kubernetes read. No clip comes in here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import generate_latest

from triptych.serving.metrics import REGISTRY
from triptych.serving.supervision.state import State

CONTENT_TYPE = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
"""Prometheus' text format, https://prometheus.io/docs/instrumenting/exposition_formats/, as Triton writes it."""


def application(state: Callable[[], State], triton_metrics: Callable[[], Awaitable[bytes]]) -> web.Application:
    """Return the application: /metrics, and under Triton's own paths whether it lives and whether it is ready."""

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(REGISTRY) + await triton_metrics(), headers=CONTENT_TYPE)

    async def live(request: web.Request) -> web.Response:
        return web.Response()

    async def ready(request: web.Request) -> web.Response:
        return web.Response(status=200 if state().ready else 503, text=state().reason)

    app = web.Application(client_max_size=1024)
    app.add_routes([web.get("/metrics", metrics), web.get("/v2/health/live", live), web.get("/v2/health/ready", ready)])
    return app
