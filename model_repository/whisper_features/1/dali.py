"""Whisper's log-mel of 30 s of speech, [480000] -> [80 mels, 3000 frames], as `log_mel_spectrogram` of openai/whisper.

The constants are derived as its `audio.py` derives them.
"""

import numpy as np
from nvidia.dali import fn, math, pipeline_def
from nvidia.dali.pipeline import DataNode
from nvidia.dali.plugin.triton import autoserialize

from triptych.sound import dali
from triptych.sound.mel import HOP_LENGTH, WIN_LENGTH
from triptych_client.contract import CHUNK_SAMPLES, SAMPLE_RATE_HZ

N_FFT = WIN_LENGTH
N_MELS = 80
FRAMES = CHUNK_SAMPLES // HOP_LENGTH
FLOOR = 1e-10
"""Least power of a band."""
RANGE = 8.0
"""Nothing is more than 8 powers of ten, 80 dB, below the loudest band of the chunk."""


@autoserialize
@pipeline_def(**dali.options("whisper_features"))
def whisper_features() -> DataNode:
    """Return the pipeline CHUNKS -> LOG_MEL."""
    power = dali.spectrogram(dali.sound("whisper_features"), power=2, center=True, n_fft=N_FFT)
    mel = fn.mel_filter_bank(
        power, sample_rate=SAMPLE_RATE_HZ, nfilter=N_MELS, freq_high=SAMPLE_RATE_HZ / 2, mel_formula="slaney"
    )
    mel = fn.slice(mel, start=[0], shape=[FRAMES], axes=[1])  # the reference drops the frame after the last
    log_mel = fn.to_decibels(mel, multiplier=1.0, reference=1.0, cutoff_db=float(np.log10(FLOOR)))
    loudest = fn.reductions.max(log_mel, axes=[0, 1], keep_dims=True)
    return (math.max(log_mel, loudest - RANGE) + 4.0) / 4.0
