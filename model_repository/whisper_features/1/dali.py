"""Whisper's log-mel of 30 s of speech, [480000] -> [mels, 3000 frames], as `log_mel_spectrogram` of openai/whisper.

`settings.json`, written by `triptych export`, says how many mel bands the model hears: 80, or 128 from large-v3 on.
"""

from pathlib import Path

from nvidia.dali import pipeline_def
from nvidia.dali.pipeline import DataNode
from nvidia.dali.plugin.triton import autoserialize

from triptych.serving import settings
from triptych.sound import dali
from triptych_client.contract import CHUNK_SAMPLES


@autoserialize
@pipeline_def(**dali.options("whisper_features"))
def whisper_features() -> DataNode:
    """Return the pipeline CHUNKS -> LOG_MEL."""
    n_mels = settings.read_int(Path(__file__).parent, "n_mels")
    return dali.whisper_log_mel(dali.sound("whisper_features"), CHUNK_SAMPLES, n_mels)
