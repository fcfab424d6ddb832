"""What the sound tagger hears of a window of sound, [samples] -> FEATURES, by DALI.

`settings.json`, written by `triptych export`, says which it is:
- yamnet-log-mel: `triptych.sound.mel.sound_log_mel` of 0.975 s, [96 frames, 64 mels], for YAMNet;
- kaldi-fbank: `triptych.sound.mel.fbank` of 10.24 s, [1022 frames, 128 mels], for the Audio Spectrogram Transformer.
"""

from pathlib import Path

import numpy as np
from nvidia.dali import fn, math, pipeline_def, types
from nvidia.dali.pipeline import DataNode
from nvidia.dali.plugin.triton import autoserialize

from triptych.serving import settings
from triptych.sound import dali
from triptych.sound.mel import (
    FBANK_FLOOR,
    FBANK_FRAMES,
    FBANK_PREEMPHASIS,
    HOP_LENGTH,
    N_FFT,
    SOUND_FLOOR,
    WIN_LENGTH,
    fbank_filters,
    sound_filters,
    symmetric_hann,
)

GROUP_MELS = 8


def mel(spectrum: DataNode, filters: np.ndarray) -> DataNode:
    """Return the mel bands of a spectrum [frames, 257] by filters [mels, 257] -> [frames, mels].

    DALI's `mel_filter_bank` draws its triangles in Hz, YAMNet and Kaldi in mels, which is up to 1 % apart; so the
    filters are applied as written, in groups of bands, each over the few frequencies that it covers.
    """
    groups = []
    for group in np.split(filters, len(filters) // GROUP_MELS):
        covered = np.flatnonzero(group.any(axis=0))
        start, stop = int(covered[0]), int(covered[-1]) + 1
        weights = types.Constant(group[None, :, start:stop], device=dali.device())
        weighted = fn.expand_dims(spectrum[:, start:stop], axes=1) * weights
        groups.append(fn.reductions.sum(weighted, axes=2))
    return fn.cat(*groups, axis=1)


def yamnet_log_mel(pcm: DataNode) -> DataNode:
    """Return the log-mel spectrogram of sound [15600]: [96, 64]."""
    magnitude = dali.spectrogram(pcm, power=1, center=False)
    return math.log(mel(fn.transpose(magnitude, perm=[1, 0]), sound_filters()) + SOUND_FLOOR)


def kaldi_fbank(pcm: DataNode) -> DataNode:
    """Return Kaldi's filter banks of sound [163840]: [1022, 128]."""
    frames = kaldi_frames(pcm)
    power = fn.spectrogram(
        fn.reshape(frames, shape=[-1]),
        nfft=N_FFT,
        window_length=N_FFT,
        window_step=N_FFT,
        window_fn=[1.0] * N_FFT,
        center_windows=False,
        power=2,
    )
    return math.log(math.max(mel(fn.transpose(power, perm=[1, 0]), fbank_filters()), FBANK_FLOOR))


def kaldi_frames(pcm: DataNode) -> DataNode:
    """Return overlapping frames, each freed of its mean, pre-emphasised, windowed and 0-padded: [1022, 512]."""
    hops = fn.reshape(pcm, shape=[-1, HOP_LENGTH])
    rest = WIN_LENGTH - 2 * HOP_LENGTH
    parts = (hops[0:FBANK_FRAMES], hops[1 : FBANK_FRAMES + 1], hops[2 : FBANK_FRAMES + 2, 0:rest])
    frames = fn.cat(*parts, axis=1)
    frames = frames - fn.reductions.mean(frames, axes=[1], keep_dims=True)
    before = fn.cat(frames[:, 0:1], frames[:, 0 : WIN_LENGTH - 1], axis=1)
    window = types.Constant(symmetric_hann()[None], device=dali.device())
    return fn.pad((frames - FBANK_PREEMPHASIS * before) * window, axes=[1], shape=[N_FFT], fill_value=0.0)


FEATURES = {"yamnet-log-mel": yamnet_log_mel, "kaldi-fbank": kaldi_fbank}


@autoserialize
@pipeline_def(**dali.options("sound_features"))
def sound_features() -> DataNode:
    """Return the pipeline SOUND_WINDOWS -> FEATURES."""
    return FEATURES[settings.read_text(Path(__file__).parent, "features")](dali.sound("sound_features"))
