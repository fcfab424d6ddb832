"""The trace that a call belongs to, where the caller's program keeps one (OpenTelemetry; the extra `tracing`)."""

from __future__ import annotations


def context() -> dict[str, str]:
    """Return the metadata that makes the server's spans part of the current trace (`traceparent`; W3C Trace Context).

    Empty without a current span, or where opentelemetry-api is not installed.
    """
    try:
        from opentelemetry import propagate
    except ImportError:
        return {}
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return {name.lower(): value for name, value in carrier.items()}
