"""Whisper's log-mel of 30 s of speech, [480000] -> [80 mels, 3000 frames], as `log_mel_spectrogram` of openai/whisper.

The constants are derived as its `audio.py` derives them.
"""

import os

import numpy as np
from nvidia.dali import fn, math, pipeline_def, types
from nvidia.dali.pipeline import DataNode
from nvidia.dali.plugin.triton import autoserialize

from triptych_client.contract import CHUNK_SAMPLES, SAMPLE_RATE_HZ

DEVICE = os.environ.get("TRIPTYCH_DALI_DEVICE", "cpu")
"""`gpu` runs the operators on the GPU of a data-centre host; no GPU was at hand to try it."""

WINDOW_SAMPLES = SAMPLE_RATE_HZ * 25 // 1000
HOP_SAMPLES = SAMPLE_RATE_HZ * 10 // 1000
FRAMES = CHUNK_SAMPLES // HOP_SAMPLES
MELS = 80
FLOOR = 1e-10
"""Least power of a band."""
RANGE = 8.0
"""Nothing is more than 8 powers of ten, 80 dB, below the loudest band of the chunk."""


def hann() -> np.ndarray:
    """Return the periodic Hann window, [400] float32 (`torch.hann_window`)."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW_SAMPLES) / WINDOW_SAMPLES)).astype(np.float32)


@autoserialize
@pipeline_def(batch_size=8, num_threads=2, device_id=None, output_dtype=[types.FLOAT], output_ndim=[2])
def whisper_features() -> DataNode:
    """Return the pipeline CHUNKS -> LOG_MEL."""
    pcm = fn.external_source(name="CHUNKS", device="cpu", dtype=types.FLOAT, ndim=1)
    power = fn.spectrogram(
        pcm.gpu() if DEVICE == "gpu" else pcm,
        nfft=WINDOW_SAMPLES,
        window_length=WINDOW_SAMPLES,
        window_step=HOP_SAMPLES,
        window_fn=hann().tolist(),
        center_windows=True,
        reflect_padding=True,
        power=2,
    )
    mel = fn.mel_filter_bank(
        power, sample_rate=SAMPLE_RATE_HZ, nfilter=MELS, freq_high=SAMPLE_RATE_HZ / 2, mel_formula="slaney"
    )
    mel = fn.slice(mel, start=[0], shape=[FRAMES], axes=[1])  # the reference drops the frame after the last
    log_mel = fn.to_decibels(mel, multiplier=1.0, reference=1.0, cutoff_db=float(np.log10(FLOOR)))
    loudest = fn.reductions.max(log_mel, axes=[0, 1], keep_dims=True)
    return (math.max(log_mel, loudest - RANGE) + 4.0) / 4.0
