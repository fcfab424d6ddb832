"""YAMNet's log-mel of 0.975 s of sound, [15600] -> [96 frames, 64 mels]: `triptych.mel.sound_log_mel` by DALI."""

import os

import numpy as np
from nvidia.dali import fn, math, pipeline_def, types
from nvidia.dali.pipeline import DataNode
from nvidia.dali.plugin.triton import autoserialize

from triptych.mel import FFT_SIZE, HOP_SAMPLES, SOUND_FLOOR, SOUND_MELS, WINDOW_SAMPLES, hann, sound_filters

DEVICE = os.environ.get("TRIPTYCH_DALI_DEVICE", "cpu")
"""`gpu` runs the operators on the GPU of a data-centre host; no GPU was at hand to try it."""

GROUP_MELS = 8


def mel(spectrum: DataNode) -> DataNode:
    """Return the mel bands of a spectrum [frames, 257] -> [frames, 64].

    DALI's `mel_filter_bank` draws its triangles in Hz, YAMNet in mels, which is up to 1 % apart; so the filters are
    applied as written, in groups of bands, each over the few frequencies that it covers.
    """
    groups = []
    for filters in np.split(sound_filters(), SOUND_MELS // GROUP_MELS):
        covered = np.flatnonzero(filters.any(axis=0))
        start, stop = int(covered[0]), int(covered[-1]) + 1
        weights = types.Constant(filters[None, :, start:stop], device=DEVICE)
        weighted = fn.expand_dims(spectrum[:, start:stop], axes=1) * weights
        groups.append(fn.reductions.sum(weighted, axes=2))
    return fn.cat(*groups, axis=1)


@autoserialize
@pipeline_def(batch_size=128, num_threads=2, device_id=None, output_dtype=[types.FLOAT], output_ndim=[2])
def sound_features() -> DataNode:
    """Return the pipeline SOUND_WINDOWS -> FEATURES."""
    pcm = fn.external_source(name="SOUND_WINDOWS", device="cpu", dtype=types.FLOAT, ndim=1)
    magnitude = fn.spectrogram(
        pcm.gpu() if DEVICE == "gpu" else pcm,
        nfft=FFT_SIZE,
        window_length=WINDOW_SAMPLES,
        window_step=HOP_SAMPLES,
        window_fn=hann().tolist(),
        center_windows=False,
        power=1,
    )
    return math.log(mel(fn.transpose(magnitude, perm=[1, 0])) + SOUND_FLOOR)
