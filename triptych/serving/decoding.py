"""The decoders of a step inside Triton: their limits, who they work for, and the count of those that died."""

from __future__ import annotations

from functools import partial
from typing import Any

from triptych.media.decoders.handles import CAUSES, Caller
from triptych.media.decoders.steps import Decoders
from triptych.media.limits import Limits
from triptych.serving import adapter
from triptych.serving.step_counters import Counter


def decoders(step: str) -> Decoders:
    """Return the decoders of a step, within the limits of the server's environment."""
    deaths = Counter("triptych_decoder_deaths_total", "Decoders that ended before they had answered, by cause")
    for cause in CAUSES:
        deaths.add(0, step=step, cause=cause)  # Prometheus sees a rise only of what is there
    return Decoders(step, Limits.from_environment(), lambda cause: deaths.add(step=step, cause=cause))


def caller(request: Any) -> Caller:
    """Return for whom a clip is decoded."""
    return Caller(adapter.request_id(request), partial(adapter.has_left, request))
