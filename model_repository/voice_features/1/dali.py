"""What the voice model hears of 3 s of sound, [48000] -> FEATURES, by DALI.

`settings.json`, written by `triptych export`, says which it is:
- log-mel: `triptych.sound.mel.voice_log_mel`, [64 mels, 300 frames], for the CNN;
- waveform: the sound itself, [1, 48000], for wav2vec 2.0.
"""

import os
from pathlib import Path

from nvidia.dali import fn, math, pipeline_def, types
from nvidia.dali.pipeline import DataNode
from nvidia.dali.plugin.triton import autoserialize

from triptych.serving import settings
from triptych.sound.mel import (
    FFT_SIZE,
    HOP_SAMPLES,
    VOICE_FLOOR,
    VOICE_FRAMES,
    VOICE_MELS,
    VOICE_RANGE_HZ,
    WINDOW_SAMPLES,
    hann,
)
from triptych_client.contract import SAMPLE_RATE_HZ

DEVICE = os.environ.get("TRIPTYCH_DALI_DEVICE", "cpu")
"""`gpu` runs the operators on the GPU of a data-centre host; no GPU was at hand to try it."""


def log_mel(pcm: DataNode) -> DataNode:
    """Return the log-mel spectrogram of sound [48000]: [64, 300]."""
    power = fn.spectrogram(
        pcm,
        nfft=FFT_SIZE,
        window_length=WINDOW_SAMPLES,
        window_step=HOP_SAMPLES,
        window_fn=hann().tolist(),
        center_windows=True,
        reflect_padding=True,
        power=2,
    )
    mel = fn.mel_filter_bank(
        fn.slice(power, start=[0], shape=[VOICE_FRAMES], axes=[1]),
        sample_rate=float(SAMPLE_RATE_HZ),
        nfilter=VOICE_MELS,
        freq_low=VOICE_RANGE_HZ[0],
        freq_high=VOICE_RANGE_HZ[1],
        mel_formula="slaney",
        normalize=False,
    )
    return math.log(math.max(mel, VOICE_FLOOR))


def waveform(pcm: DataNode) -> DataNode:
    """Return sound [48000] as one row: [1, 48000]."""
    return fn.expand_dims(pcm, axes=0)


FEATURES = {"log-mel": log_mel, "waveform": waveform}


@autoserialize
@pipeline_def(batch_size=64, num_threads=2, device_id=None, output_dtype=[types.FLOAT], output_ndim=[2])
def voice_features() -> DataNode:
    """Return the pipeline VOICE_WINDOWS -> FEATURES."""
    pcm = fn.external_source(name="VOICE_WINDOWS", device="cpu", dtype=types.FLOAT, ndim=1)
    features = FEATURES[settings.read_text(Path(__file__).parent, "features")]
    return features(pcm.gpu() if DEVICE == "gpu" else pcm)
