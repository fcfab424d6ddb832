"""Files of sound for the checks, whose samples stay as they are."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np
from av.stream import Disposition

from triptych_client.contract import SAMPLE_RATE_HZ

FRAME_SAMPLES = 1600


def matroska(tracks: Sequence[np.ndarray], layouts: Sequence[str], default: int = 0) -> bytes:
    """Return sound tracks FP32 [channels, samples], 16 kHz, as one file; `default` is the one to be played."""
    target = io.BytesIO()
    with av.open(target, "w", format="matroska") as container:
        streams = [container.add_stream("pcm_f32le", rate=SAMPLE_RATE_HZ, layout=layout) for layout in layouts]
        for number, stream in enumerate(streams):
            stream.disposition = Disposition.default if number == default else Disposition(0)
        for stream, layout, samples in zip(streams, layouts, tracks, strict=True):
            for start in range(0, samples.shape[1], FRAME_SAMPLES):
                packed = np.ascontiguousarray(samples[:, start : start + FRAME_SAMPLES].T, np.float32).reshape(1, -1)
                frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
                frame.sample_rate, frame.pts = SAMPLE_RATE_HZ, start
                frame.time_base = Fraction(1, SAMPLE_RATE_HZ)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return target.getvalue()


def mono(pcm: np.ndarray) -> bytes:
    """Return sound FP32 [samples] of any range as a file in floating point."""
    return matroska([pcm[None]], ["mono"])
