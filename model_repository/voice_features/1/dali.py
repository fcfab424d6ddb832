"""What the voice model hears of 3 s of sound, [48000] -> FEATURES, by DALI.

`settings.json`, written by `triptych export`, says which it is:
- whisper-log-mel: `triptych.sound.mel.whisper_log_mel`, [80 mels, 300 frames], for states of Whisper's encoder;
- log-mel: `triptych.sound.mel.voice_log_mel`, [64 mels, 300 frames], for the CNN;
- waveform: the sound itself, [1, 48000], for wav2vec 2.0.
"""

from pathlib import Path

from nvidia.dali import fn, math, pipeline_def
from nvidia.dali.pipeline import DataNode
from nvidia.dali.plugin.triton import autoserialize

from triptych.serving import settings
from triptych.sound import dali
from triptych.sound.mel import VOICE_F_MAX, VOICE_F_MIN, VOICE_FLOOR, VOICE_FRAMES, VOICE_N_MELS, WHISPER_N_MELS
from triptych_client.contract import SAMPLE_RATE_HZ, VOICE_SAMPLES


def log_mel(pcm: DataNode) -> DataNode:
    """Return the log-mel spectrogram of sound [48000]: [64, 300]."""
    power = dali.spectrogram(pcm, power=2, center=True)
    mel = fn.mel_filter_bank(
        fn.slice(power, start=[0], shape=[VOICE_FRAMES], axes=[1]),
        sample_rate=float(SAMPLE_RATE_HZ),
        nfilter=VOICE_N_MELS,
        freq_low=VOICE_F_MIN,
        freq_high=VOICE_F_MAX,
        mel_formula="slaney",
        normalize=False,
    )
    return math.log(math.max(mel, VOICE_FLOOR))


def waveform(pcm: DataNode) -> DataNode:
    """Return sound [48000] as one row: [1, 48000]."""
    return fn.expand_dims(pcm, axes=0)


def whisper_log_mel(pcm: DataNode) -> DataNode:
    """Return Whisper's log-mel of sound [48000]: [80, 300]."""
    return dali.whisper_log_mel(pcm, VOICE_SAMPLES, WHISPER_N_MELS)


FEATURES = {"whisper-log-mel": whisper_log_mel, "log-mel": log_mel, "waveform": waveform}


@autoserialize
@pipeline_def(**dali.options("voice_features"))
def voice_features() -> DataNode:
    """Return the pipeline VOICE_WINDOWS -> FEATURES."""
    return FEATURES[settings.read_text(Path(__file__).parent, "features")](dali.sound("voice_features"))
