"""What the DALI pipelines of the feature steps share (`model_repository/*_features/1/dali.py`)."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from nvidia.dali import fn, math
from nvidia.dali.data_node import DataNode
from nvidia.dali.types import DALIDataType

from triptych.sound.mel import (
    HOP_LENGTH,
    N_FFT,
    WHISPER_FLOOR,
    WHISPER_N_FFT,
    WHISPER_RANGE,
    WIN_LENGTH,
    hann,
)
from triptych_client.contract import SAMPLE_RATE_HZ, STEPS


def device() -> str:
    """Return where the operators run: `cpu`, or what TRIPTYCH_DALI_DEVICE says.

    `gpu` is for the GPU of a data-centre host; no GPU was at hand to try it.
    """
    return os.environ.get("TRIPTYCH_DALI_DEVICE", "cpu")


def options(step: str) -> dict[str, Any]:
    """Return the arguments of `pipeline_def` for a step whose only output is FLOAT with two axes."""
    return {
        "batch_size": STEPS[step].max_batch_size,
        "num_threads": 2,
        "device_id": None,
        "output_dtype": [DALIDataType.FLOAT],
        "output_ndim": [2],
    }


def sound(step: str) -> DataNode:
    """Return the only input of a step, FLOAT [samples], on the device."""
    pcm = fn.external_source(name=STEPS[step].inputs[0].name, device="cpu", dtype=DALIDataType.FLOAT, ndim=1)
    return pcm.gpu() if device() == "gpu" else pcm


def spectrogram(pcm: DataNode, *, power: int, center: bool, n_fft: int = N_FFT) -> DataNode:
    """Return the spectrum of each Hann window, FLOAT [n_fft // 2 + 1, frames]; `power` 1: magnitudes.

    `center`: frame i is centred on sample i * HOP_LENGTH, the ends mirrored; else frames lie within the sound.
    """
    return fn.spectrogram(
        pcm,
        nfft=n_fft,
        window_length=WIN_LENGTH,
        window_step=HOP_LENGTH,
        window_fn=hann().tolist(),
        center_windows=center,
        reflect_padding=center,
        power=power,
    )


def whisper_log_mel(pcm: DataNode, samples: int, n_mels: int) -> DataNode:
    """Return Whisper's features of sound [samples], `triptych.sound.mel.whisper_log_mel`: [mels, samples / 160]."""
    power = spectrogram(pcm, power=2, center=True, n_fft=WHISPER_N_FFT)
    mel = fn.mel_filter_bank(
        power, sample_rate=SAMPLE_RATE_HZ, nfilter=n_mels, freq_high=SAMPLE_RATE_HZ / 2, mel_formula="slaney"
    )
    mel = fn.slice(mel, start=[0], shape=[samples // HOP_LENGTH], axes=[1])  # the reference drops the last frame
    log_mel = fn.to_decibels(mel, multiplier=1.0, reference=1.0, cutoff_db=float(np.log10(WHISPER_FLOOR)))
    loudest = fn.reductions.max(log_mel, axes=[0, 1], keep_dims=True)
    return (math.max(log_mel, loudest - WHISPER_RANGE) + 4.0) / 4.0
