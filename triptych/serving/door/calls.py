"""One clip's call: what is known before its bytes come, and what is written down when it ends."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field

import grpc
import structlog
from grpc import StatusCode

from triptych.serving import metrics
from triptych_client.protocol import LONGEST_ID, REQUEST_ID

LOG = structlog.get_logger("triptych.door")


@dataclass(frozen=True)
class Call:
    """Who it is in the logs, what came with it, and how long the caller waits."""

    context: grpc.aio.ServicerContext
    request_id: str
    metadata: dict[str, str | bytes]

    @classmethod
    def of(cls, context: grpc.aio.ServicerContext) -> Call:
        """Read the metadata; a call without a usable request id of its own gets one."""
        metadata = {str(key): value for key, value in context.invocation_metadata() or ()}
        given = metadata.get(REQUEST_ID)
        usable = isinstance(given, str) and given.isprintable() and 0 < len(given) <= LONGEST_ID
        return cls(context, str(given) if usable else uuid.uuid4().hex, metadata)

    def remaining_s(self) -> float | None:
        """Return how long the caller still waits; None: without end."""
        return self.context.time_remaining()


@dataclass
class Record:
    """What became of a call, for the log and the metrics. No content, no name of a file, no address."""

    status: StatusCode = StatusCode.UNKNOWN
    reason: str = ""
    bytes: int = 0
    arrived: float = field(default_factory=time.monotonic)
    begun: float | None = None

    def begin(self) -> None:
        """Note that Triton gets the clip."""
        self.begun = time.monotonic()
        metrics.WAIT_SECONDS.observe(self.begun - self.arrived)

    def close(self, request_id: str) -> None:
        """Count the call and write one line about it."""
        now = time.monotonic()
        worked_s = now - self.begun if self.begun else 0.0
        metrics.REQUESTS.labels(self.status.name).inc()
        if self.status is StatusCode.OK:
            metrics.WORK_SECONDS.observe(worked_s)
        LOG.info(
            "clip",
            request_id=request_id,
            status=self.status.name,
            reason=self.reason,
            bytes=self.bytes,
            waited_s=round(now - self.arrived - worked_s, 3),
            worked_s=round(worked_s, 3),
        )
