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
_TRACER = trace.get_tracer("triptych.door")


def configure(endpoint: str) -> None:
    """Send spans to a collector: the URL of its OTLP traces over HTTP, such as http://localhost:4318/v1/traces."""
    provider = TracerProvider(resource=Resource.create({"service.name": SERVICE_NAME}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint)))
    trace.set_tracer_provider(provider)


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


@contextmanager
def span(metadata: Mapping[str, str | bytes], request_id: str) -> Iterator[Headers]:
    """Open the span of one clip below that of the caller's `traceparent`; yields the headers for Triton.

    Without a collector no span is made, and the caller's headers go on as they are.
    """
    parent = _W3C.extract({name: value for name, value in metadata.items() if isinstance(value, str)})
    with _TRACER.start_as_current_span(
        "triptych.door",
        parent,
        kind=trace.SpanKind.SERVER,
        attributes={"triptych.request_id": request_id},
        record_exception=False,
    ):
        carrier: dict[str, str] = {}
        _W3C.inject(carrier)
        yield tuple(carrier.items())
