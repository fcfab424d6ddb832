"""What the steps count, on the page of Triton's own metrics: https://prometheus.io/docs/concepts/metric_types/#counter.

Runs only inside Triton's Python backend, which provides `triton_python_backend_utils`.
"""

from __future__ import annotations

import numpy as np
import triton_python_backend_utils as pb_utils  # type: ignore[import-not-found]

from triptych.answer.status import Status
from triptych_client.contract import CHANNELS, CLIP_FIELDS


class Counter:
    """A number that only grows, one for each combination of labels that occurs."""

    def __init__(self, name: str, meaning: str) -> None:
        self.family = pb_utils.MetricFamily(name=name, description=meaning, kind=pb_utils.MetricFamily.COUNTER)
        self.by_labels: dict[tuple[tuple[str, str], ...], pb_utils.Metric] = {}

    def add(self, amount: float = 1, **labels: str) -> None:
        """Count on."""
        key = tuple(sorted(labels.items()))
        if key not in self.by_labels:
            self.by_labels[key] = self.family.Metric(labels=labels)
        self.by_labels[key].increment(amount)


class Answers:
    """What the fusion counts: in which state the channels are, and how many seconds of clips are answered."""

    def __init__(self) -> None:
        self.channels = Counter("triptych_channels_total", "Channels of answered clips, by state and reason")
        self.seconds = Counter("triptych_clip_seconds_total", "Seconds of clips that were answered")

    def count(self, clip: np.ndarray, statuses: np.ndarray) -> None:
        """Count an answer by its CLIP [6] and CHANNEL_STATUS [4, 3]."""
        self.seconds.add(float(clip[CLIP_FIELDS.index("duration_s")]))
        for channel, row in zip(CHANNELS, statuses):
            status = Status.read(row)
            self.channels.add(channel=channel, state=status.state, reason=status.reason)
