"""Log-mel spectrograms of the sound and the voice channel: their numbers, and a plain numpy reference of each.

The served features are DALI pipelines (`model_repository/*_features/1/dali.py`) that take these numbers and are held
against these functions by tests; training uses the functions themselves. Numpy only, so that it runs anywhere. Numbers
have the names that librosa and torchaudio give them: `N_FFT`, `WIN_LENGTH`, `HOP_LENGTH` in samples, `F_MIN` in Hz.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from triptych_client.contract import SAMPLE_RATE_HZ, VOICE_SAMPLES

WIN_LENGTH = SAMPLE_RATE_HZ * 25 // 1000
HOP_LENGTH = SAMPLE_RATE_HZ * 10 // 1000
"""In samples: windows of 25 ms every 10 ms, which all the models here have."""
N_FFT = 512
"""The next power of two above the window."""

SOUND_N_MELS = 64
SOUND_F_MIN, SOUND_F_MAX = 125.0, 7500.0
SOUND_FLOOR = 1e-3
"""Added to a band's magnitude before the logarithm."""
SOUND_FRAMES = 96
SOUND_SAMPLES = WIN_LENGTH + (SOUND_FRAMES - 1) * HOP_LENGTH
"""15600 samples, 0.975 s: one patch of YAMNet (github.com/tensorflow/models, research/audioset/yamnet/params.py)."""

FBANK_N_MELS = 128
FBANK_F_MIN, FBANK_F_MAX = 20.0, 8000.0
"""Kaldi's default range (feat/mel-computations.h)."""
FBANK_FLOOR = 2.0**-23
"""Least power of a band, float32's epsilon, as in Kaldi (feat/feature-fbank.cc)."""
FBANK_PREEMPHASIS = 0.97
FBANK_SAMPLES = 1024 * HOP_LENGTH
"""10.24 s: what the Audio Spectrogram Transformer hears at once (Gong et al. 2021, Interspeech)."""
FBANK_FRAMES = 1 + (FBANK_SAMPLES - WIN_LENGTH) // HOP_LENGTH
"""1022: frames lie within the sound, the last two of the model's 1024 are padding."""

WHISPER_N_MELS, WHISPER_V3_N_MELS = 80, 128
"""Those that every Whisper hears up to large-v2, and those that large-v3 and its kin hear."""
WHISPER_N_FFT = WIN_LENGTH
WHISPER_FLOOR = 1e-10
"""Least power of a band."""
WHISPER_RANGE = 8.0
"""Nothing is more than 8 powers of ten, 80 dB, below the loudest band of a sound."""

VOICE_N_MELS = 64
VOICE_F_MIN, VOICE_F_MAX = 50.0, 8000.0
"""From below the pitch of a deep voice to the highest frequency there is."""
VOICE_FLOOR = 1e-6
"""Least power of a band: about that of white noise at -80 dB of full scale, below any microphone's own."""
VOICE_FRAMES = VOICE_SAMPLES // HOP_LENGTH

Array = np.ndarray


def hann() -> Array:
    """Return the periodic Hann window, [400] float32 (as `tf.signal.hann_window` and `torch.hann_window`)."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WIN_LENGTH) / WIN_LENGTH)).astype(np.float32)


def symmetric_hann() -> Array:
    """Return the symmetric Hann window, [400] float32, as Kaldi's is."""
    return np.hanning(WIN_LENGTH).astype(np.float32)


def sound_filters() -> Array:
    """Return YAMNet's mel filters, [64, 257] float32: triangles in HTK mels, `tf.signal.linear_to_mel_weight_matrix`.

    The constant component (bin 0) has no weight there.
    """
    low, high = _hz_to_htk_mel(np.array([SOUND_F_MIN, SOUND_F_MAX]))
    filters = _triangles(_hz_to_htk_mel(bins_hz()), np.linspace(low, high, SOUND_N_MELS + 2))
    filters[:, 0] = 0
    return filters


def fbank_filters() -> Array:
    """Return Kaldi's mel filters, [128, 257] float32: triangles in HTK mels (feat/mel-computations.cc)."""
    low, high = _hz_to_htk_mel(np.array([FBANK_F_MIN, FBANK_F_MAX]))
    return _triangles(_hz_to_htk_mel(bins_hz()), np.linspace(low, high, FBANK_N_MELS + 2))


def voice_filters() -> Array:
    """Return the voice channel's mel filters, [64, 257] float32: triangles in Hz between Slaney mels, peak 1.

    As `librosa.filters.mel(htk=False, norm=None)` and DALI's `mel_filter_bank(mel_formula="slaney", normalize=False)`.
    """
    return _triangles(bins_hz(), _slaney_edges(VOICE_F_MIN, VOICE_F_MAX, VOICE_N_MELS))


def whisper_filters(n_mels: int) -> Array:
    """Return Whisper's mel filters, [mels, 201] float32: triangles in Hz between Slaney mels, of area 1.

    As `librosa.filters.mel(sr=16000, n_fft=400, n_mels=n_mels)`, of which openai/whisper has a copy.
    """
    edges = _slaney_edges(0.0, SAMPLE_RATE_HZ / 2, n_mels)
    width = (edges[2:] - edges[:-2])[:, None]
    return (2 / width * _triangles(bins_hz(WHISPER_N_FFT), edges)).astype(np.float32)


def sound_log_mel(pcm: Array) -> Array:
    """Return YAMNet's features of 0.975 s of sound: float32 [15600] in [-1, 1] -> float32 [96 frames, 64 mels].

    ln(mel + 0.001) of the magnitude spectrogram, frames not centred (research/audioset/yamnet/features.py).
    """
    magnitude = np.abs(_spectra(pcm, SOUND_FRAMES))
    return np.log(magnitude @ sound_filters().T + SOUND_FLOOR).astype(np.float32)


def fbank(pcm: Array) -> Array:
    """Return Kaldi's filter banks of 10.24 s: float32 [163840] in [-1, 1] -> float32 [1022 frames, 128 mels].

    ln(max(mel, 2**-23)) of the power spectrogram of frames that were freed of their mean, pre-emphasised and windowed
    (feat/feature-window.cc; `torchaudio.compliance.kaldi.fbank(window_type="hanning", num_mel_bins=128)`).
    """
    frames = np.lib.stride_tricks.sliding_window_view(pcm, WIN_LENGTH)[::HOP_LENGTH]
    frames = frames - frames.mean(axis=1, keepdims=True)
    before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    spectra = np.fft.rfft((frames - FBANK_PREEMPHASIS * before) * symmetric_hann(), N_FFT)
    return np.log(np.maximum(np.abs(spectra) ** 2 @ fbank_filters().T, FBANK_FLOOR)).astype(np.float32)


def voice_log_mel(pcm: Array) -> Array:
    """Return the voice features of 3 s: float32 [48000] in [-1, 1] -> float32 [64 mels, 300 frames].

    ln(max(mel, 1e-6)) of the power spectrogram; frame i is centred on sample 160 i, with the ends mirrored
    (and the 301st frame dropped) as Whisper and librosa do.
    """
    mirrored = np.pad(pcm, WIN_LENGTH // 2, mode="reflect")
    power = np.abs(_spectra(mirrored, VOICE_FRAMES)) ** 2
    return np.log(np.maximum(voice_filters() @ power.T, VOICE_FLOOR)).astype(np.float32)


def whisper_log_mel(pcm: Array, n_mels: int = WHISPER_N_MELS) -> Array:
    """Return Whisper's features of sound: float32 [samples] in [-1, 1] -> float32 [mels, samples / 160].

    As `log_mel_spectrogram` of openai/whisper, without padding: relative to the loudest band of this sound.
    """
    mirrored = np.pad(pcm, WIN_LENGTH // 2, mode="reflect")
    power = np.abs(_spectra(mirrored, len(pcm) // HOP_LENGTH, WHISPER_N_FFT)) ** 2
    log_mel = np.log10(np.maximum(whisper_filters(n_mels) @ power.T, WHISPER_FLOOR))
    return ((np.maximum(log_mel, log_mel.max() - WHISPER_RANGE) + 4) / 4).astype(np.float32)


FEATURES: dict[str, Callable[[Array], Array]] = {
    "whisper-log-mel": whisper_log_mel,
    "log-mel": voice_log_mel,
    "waveform": lambda pcm: pcm[None],
    "yamnet-log-mel": sound_log_mel,
    "kaldi-fbank": fbank,
}
"""What a step of features is told by `features` in its settings.json, and the reference of each: sound -> features."""


def _spectra(pcm: Array, frames: int, n_fft: int = N_FFT) -> Array:
    """Return the complex spectrum of each windowed frame, [frames, n_fft / 2 + 1]."""
    windows = np.lib.stride_tricks.sliding_window_view(pcm, WIN_LENGTH)[::HOP_LENGTH][:frames]
    return np.fft.rfft(windows * hann(), n_fft)


def bins_hz(n_fft: int = N_FFT) -> Array:
    """Return the frequencies of a spectrum's bins, [n_fft / 2 + 1]."""
    return np.linspace(0, SAMPLE_RATE_HZ / 2, n_fft // 2 + 1)


def _slaney_edges(f_min: float, f_max: float, n_mels: int) -> Array:
    """Return the frequencies in Hz between which triangles lie, as far apart in Slaney mels: [mels + 2]."""
    low, high = _hz_to_slaney_mel(np.array([f_min, f_max]))
    return _slaney_mel_to_hz(np.linspace(low, high, n_mels + 2))


def _triangles(bins: Array, edges: Array) -> Array:
    """Return triangles that rise from edge i to edge i + 1 and fall to edge i + 2, at each bin: [edges - 2, bins]."""
    low, peak, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (bins - low) / (peak - low), (high - bins) / (high - peak)
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)


def _hz_to_htk_mel(hz: Array) -> Array:
    return 1127 * np.log1p(hz / 700)


# Slaney's Auditory Toolbox (1998): linear below 1 kHz, 3 mels for 200 Hz; above it 27 mels for each factor of 6.4.
_SLANEY_HZ_PER_MEL = 200 / 3
_SLANEY_MELS_PER_NEPER = 27 / np.log(6.4)


def _hz_to_slaney_mel(hz: Array) -> Array:
    above = 15 + np.log(np.maximum(hz, 1000) / 1000) * _SLANEY_MELS_PER_NEPER
    return np.where(hz < 1000, hz / _SLANEY_HZ_PER_MEL, above)


def _slaney_mel_to_hz(mel: Array) -> Array:
    above = 1000 * np.exp((mel - 15) / _SLANEY_MELS_PER_NEPER)
    return np.where(mel < 15, mel * _SLANEY_HZ_PER_MEL, above)
