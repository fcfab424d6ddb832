"""YAMNet's log-mel and Kaldi's filter banks: DALI against numpy, numpy against an independent implementation."""

import numpy as np
import pytest
from transformers import ASTFeatureExtractor
from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

from samples import dali_pipelines
from triptych.sound import mel

RNG = np.random.default_rng(0)
NOISE = (0.1 * RNG.standard_normal(mel.SOUND_SAMPLES)).astype(np.float32)
SILENCE = np.zeros(mel.SOUND_SAMPLES, np.float32)
TONE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(mel.SOUND_SAMPLES) / 16000)).astype(np.float32)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    return dali_pipelines.serialise("sound_features", tmp_path_factory.mktemp("dali"), features="yamnet-log-mel")


def test_reference_equals_transformers():
    filters = mel_filter_bank(257, 64, 125.0, 7500.0, 16000, mel_scale="htk", triangularize_in_mel_space=True)
    bands = spectrogram(
        NOISE,
        window_function(400, "hann"),
        frame_length=400,
        hop_length=160,
        fft_length=512,
        power=1.0,
        center=False,
        mel_filters=filters,
        mel_floor=0.0,
    )
    np.testing.assert_allclose(mel.sound_log_mel(NOISE), np.log(bands.T + 1e-3), atol=1e-5)


@pytest.mark.parametrize("gain", [1.0, 1e-2, 1e-4])
def test_dali_equals_reference(pipeline, gain):
    pcm = NOISE * np.float32(gain)
    (log_mel,) = dali_pipelines.run(pipeline, "SOUND_WINDOWS", [pcm])
    assert log_mel.shape == (mel.SOUND_FRAMES, mel.SOUND_N_MELS)
    np.testing.assert_allclose(log_mel, mel.sound_log_mel(pcm), atol=1e-4)


def test_dali_on_a_pure_tone(pipeline):
    (log_mel,) = dali_pipelines.run(pipeline, "SOUND_WINDOWS", [TONE])
    # Bands without sound lie at the rounding of DALI's float32 FFT (peak 50, so 3e-6) over the floor of 1e-3.
    np.testing.assert_allclose(log_mel, mel.sound_log_mel(TONE), atol=5e-3)


def test_silence_is_the_floor_and_rows_do_not_mix(pipeline):
    silent, noisy = dali_pipelines.run(pipeline, "SOUND_WINDOWS", [SILENCE, NOISE])
    np.testing.assert_allclose(silent, np.log(mel.SOUND_FLOOR), atol=1e-6)
    np.testing.assert_array_equal(noisy, dali_pipelines.run(pipeline, "SOUND_WINDOWS", [NOISE])[0])


@pytest.mark.parametrize("features", ["yamnet-log-mel", "kaldi-fbank"])
def test_gpu_operators_serialise(monkeypatch, tmp_path, features):
    on_cpu = dali_pipelines.serialise("sound_features", tmp_path, features=features)
    assert dali_pipelines.devices(on_cpu) == {"cpu"}
    monkeypatch.setenv("TRIPTYCH_DALI_DEVICE", "gpu")
    on_gpu = dali_pipelines.serialise("sound_features", tmp_path, features=features)
    assert "gpu" in dali_pipelines.devices(on_gpu)


LONG_NOISE = (0.1 * RNG.standard_normal(mel.FBANK_SAMPLES)).astype(np.float32)
HALF_SILENT = np.where(np.arange(mel.FBANK_SAMPLES) < mel.FBANK_SAMPLES // 2, LONG_NOISE, 0).astype(np.float32)


@pytest.fixture(scope="module")
def fbank(tmp_path_factory):
    return dali_pipelines.serialise("sound_features", tmp_path_factory.mktemp("dali"), features="kaldi-fbank")


@pytest.fixture(scope="module")
def extractor():
    """The Audio Spectrogram Transformer's own, without its normalisation and the padding of frames."""
    return ASTFeatureExtractor(do_normalize=False, max_length=mel.FBANK_FRAMES)


@pytest.mark.filterwarnings("ignore:At least one mel filter has all zero values")
@pytest.mark.parametrize("pcm", [LONG_NOISE, HALF_SILENT], ids=["noise", "half silent"])
def test_fbank_equals_transformers(extractor, pcm):
    (expected,) = extractor(pcm, sampling_rate=16000, return_tensors="np")["input_values"]
    np.testing.assert_allclose(mel.fbank(pcm), expected, atol=1e-3)


@pytest.mark.parametrize("gain", [1.0, 1e-2, 1e-4])
def test_dali_s_fbank_equals_reference(fbank, gain):
    pcm = [sound * np.float32(gain) for sound in (LONG_NOISE, HALF_SILENT)]
    features = dali_pipelines.run(fbank, "SOUND_WINDOWS", pcm)
    assert features.shape == (2, mel.FBANK_FRAMES, mel.FBANK_N_MELS)
    np.testing.assert_allclose(features, [mel.fbank(sound) for sound in pcm], atol=1e-3)
