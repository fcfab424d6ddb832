"""Spans of the door in OpenTelemetry, within the caller's trace, and the headers that carry it on to Triton."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

Headers = tuple[tuple[str, str], ...]

SERVICE_NAME = "triptych"
_W3C = TraceContextTextMapPropagator()


def triton_options(endpoint: str) -> list[str]:
    """Return tritonserver's flags for a span a step and request, sent to the same collector."""
    settings = (
        "mode=opentelemetry",
        "level=TIMESTAMPS",
        "rate=1",
        f"opentelemetry,url={endpoint}",
        f"opentelemetry,resource=service.name={SERVICE_NAME}",
    )
    return [f"--trace-config={setting}" for setting in settings]


class Spans:
    """Makes the door's spans, and sends them to a collector: the URL of OTLP traces over HTTP; None: no spans."""

    def __init__(self, endpoint: str | None = None) -> None:
        self._provider = TracerProvider(resource=Resource.create({"service.name": SERVICE_NAME})) if endpoint else None
        if self._provider:
            self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint)))
        self._tracer = (self._provider or trace.NoOpTracerProvider()).get_tracer("triptych.door")

    @contextmanager
    def span(self, metadata: Mapping[str, str | bytes], request_id: str) -> Iterator[Headers]:
        """Open the span of one clip below that of the caller's `traceparent`; yields the headers for Triton.

        Without a collector the caller's headers go on as they are.
        """
        parent = _W3C.extract({name: value for name, value in metadata.items() if isinstance(value, str)})
        with self._tracer.start_as_current_span(
            "triptych.door",
            parent,
            kind=trace.SpanKind.SERVER,
            attributes={"triptych.request_id": request_id},
            record_exception=False,
        ):
            carrier: dict[str, str] = {}
            _W3C.inject(carrier)
            yield tuple(carrier.items())

    def close(self) -> None:
        """Send what is left."""
        if self._provider:
            self._provider.shutdown()
