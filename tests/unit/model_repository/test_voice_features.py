"""The voice channel's log-mel: DALI against numpy, numpy against an independent implementation."""

import numpy as np
import pytest
from transformers import WhisperFeatureExtractor
from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

from samples import dali_pipelines
from triptych.errors import TriptychError
from triptych.sound import mel
from triptych_client.contract import VOICE_SAMPLES

RNG = np.random.default_rng(0)
NOISE = (0.1 * RNG.standard_normal(VOICE_SAMPLES)).astype(np.float32)
SILENCE = np.zeros(VOICE_SAMPLES, np.float32)
TONE = (0.5 * np.sin(2 * np.pi * 220 * np.arange(VOICE_SAMPLES) / 16000)).astype(np.float32)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    return dali_pipelines.serialise("voice_features", tmp_path_factory.mktemp("dali"), features="log-mel")


def test_reference_equals_transformers():
    bands = spectrogram(
        NOISE,
        window_function(400, "hann"),
        frame_length=400,
        hop_length=160,
        fft_length=512,
        power=2.0,
        center=True,
        pad_mode="reflect",
        mel_filters=mel_filter_bank(257, 64, 50.0, 8000.0, 16000, mel_scale="slaney"),
        mel_floor=1e-6,
    )
    np.testing.assert_allclose(mel.voice_log_mel(NOISE), np.log(bands)[:, : mel.VOICE_FRAMES], atol=1e-5)


@pytest.mark.parametrize("gain", [1.0, 1e-2, 1e-4])
def test_dali_equals_reference(pipeline, gain):
    pcm = NOISE * np.float32(gain)
    (log_mel,) = dali_pipelines.run(pipeline, "VOICE_WINDOWS", [pcm])
    assert log_mel.shape == (mel.VOICE_N_MELS, mel.VOICE_FRAMES)
    np.testing.assert_allclose(log_mel, mel.voice_log_mel(pcm), atol=1e-3)


def test_dali_on_a_pure_tone(pipeline):
    (log_mel,) = dali_pipelines.run(pipeline, "VOICE_WINDOWS", [TONE])
    # Bands without sound lie near the rounding of DALI's float32 FFT.
    np.testing.assert_allclose(log_mel, mel.voice_log_mel(TONE), atol=1e-2)


def test_silence_is_the_floor_and_rows_do_not_mix(pipeline):
    silent, noisy = dali_pipelines.run(pipeline, "VOICE_WINDOWS", [SILENCE, NOISE])
    np.testing.assert_allclose(silent, np.log(mel.VOICE_FLOOR), atol=1e-6)
    np.testing.assert_array_equal(noisy, dali_pipelines.run(pipeline, "VOICE_WINDOWS", [NOISE])[0])


def test_a_waveform_stays_as_it_is(tmp_path):
    path = dali_pipelines.serialise("voice_features", tmp_path, features="waveform")
    silent, noisy = dali_pipelines.run(path, "VOICE_WINDOWS", [SILENCE, NOISE])
    np.testing.assert_array_equal(silent, SILENCE[None])
    np.testing.assert_array_equal(noisy, NOISE[None])


@pytest.mark.parametrize("gain", [1.0, 1e-3])
def test_whisper_s_log_mel_is_that_of_transformers(tmp_path, gain):
    pcm = NOISE * np.float32(gain)
    expected = WhisperFeatureExtractor(chunk_length=3)(pcm, sampling_rate=16_000, return_tensors="np").input_features
    path = dali_pipelines.serialise("voice_features", tmp_path, features="whisper-log-mel")
    silent, found = dali_pipelines.run(path, "VOICE_WINDOWS", [SILENCE, pcm])
    np.testing.assert_allclose(found, expected[0], atol=1e-4)
    np.testing.assert_allclose(mel.whisper_log_mel(pcm), expected[0], atol=1e-4)
    np.testing.assert_allclose(silent, mel.whisper_log_mel(SILENCE), atol=1e-6)


@pytest.mark.parametrize("features", ["whisper-log-mel", "log-mel", "waveform"])
def test_gpu_operators_serialise(monkeypatch, tmp_path, features):
    on_cpu = dali_pipelines.serialise("voice_features", tmp_path, features=features)
    assert dali_pipelines.devices(on_cpu) == {"cpu"}
    monkeypatch.setenv("TRIPTYCH_DALI_DEVICE", "gpu")
    on_gpu = dali_pipelines.serialise("voice_features", tmp_path, features=features)
    assert "gpu" in dali_pipelines.devices(on_gpu)


def test_features_that_were_not_exported_are_missed_by_name(tmp_path):
    with pytest.raises(TriptychError, match=r"settings.json does not say features: run `triptych export`"):
        dali_pipelines.serialise("voice_features", tmp_path)
