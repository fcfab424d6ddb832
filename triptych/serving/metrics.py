"""What the door and the supervision count, beside Triton's own metrics; Prometheus reads both from one page."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()

SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 2, 3, 5, 10, 20, 30, 60, 120)
"""Buckets: a refusal takes milliseconds, a clip seconds."""

REQUESTS = Counter("triptych_requests", "Clips that were asked for, by gRPC status", ["status"], registry=REGISTRY)
REFUSALS = Counter("triptych_refusals", "Clips that were not let in, by reason", ["reason"], registry=REGISTRY)
LEFT = Counter("triptych_callers_left", "Callers who left before their answer", registry=REGISTRY)
ASKED_AGAIN = Counter(
    "triptych_clips_asked_again", "Clips that were lost with a process of Triton and asked once more", registry=REGISTRY
)
SHARED = Counter("triptych_clips_shared", "Clips that were read from memory of their clients", registry=REGISTRY)
IN_FLIGHT = Gauge("triptych_in_flight", "Clips that Triton works on", registry=REGISTRY)
WAITING = Gauge("triptych_waiting", "Clips that wait at the door", registry=REGISTRY)
WAIT_SECONDS = Histogram(
    "triptych_wait_seconds", "From a clip's arrival until Triton gets it", buckets=SECONDS, registry=REGISTRY
)
WORK_SECONDS = Histogram(
    "triptych_work_seconds", "From when Triton gets a clip until its answer", buckets=SECONDS, registry=REGISTRY
)
READY = Gauge("triptych_ready", "1 while clips are answered, 0 while something is being mended", registry=REGISTRY)
RESTARTS = Counter(
    "triptych_restarts", "Steps loaded anew (by name), and restarts of the whole server", ["part"], registry=REGISTRY
)
