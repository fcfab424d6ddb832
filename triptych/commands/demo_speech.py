"""Synthesised speech, by eSpeak NG as shipped in the `espeakng-loader` wheel: for the demo clip and the tests.

The library is driven through its C interface (espeak-ng 1.52, `speak_lib.h`): no process, no temporary file.
"""

from __future__ import annotations

import _ctypes
import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import av
import numpy as np
from av.audio.resampler import AudioResampler

from triptych.errors import TriptychError
from triptych_client.contract import SAMPLE_RATE_HZ

# Enumerations of speak_lib.h.
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_DONT_EXIT = 0x8000
_CHARS_UTF8 = 1
_RATE, _PITCH = 1, 3

_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int16), ctypes.c_int, ctypes.c_void_p)

_one_at_a_time = threading.Lock()  # the library keeps its state in global variables


def synthesise(text: str, voice: str = "en", words_per_minute: int = 160, pitch: int = 50) -> np.ndarray:
    """Return `text` spoken: float32 PCM [samples], 16 kHz mono in [-1, 1].

    `voice` is a language code of eSpeak NG ("en", "en-us", "ru", ..), with a variant if wanted ("en+f3"); `pitch` is
    0 (low) to 99 (high). The same arguments give the same samples.

    TriptychError when the wheel is not installed, or it has no such voice.
    """
    with _one_at_a_time, _fresh_library() as (library, rate_hz):
        if library.espeak_SetVoiceByName(voice.encode()):
            raise TriptychError(f"eSpeak NG has no voice {voice!r}; it has those of its folder espeak-ng-data/lang")
        library.espeak_SetParameter(_RATE, words_per_minute, 0)
        library.espeak_SetParameter(_PITCH, pitch, 0)
        return _resample(_speak(library, text), rate_hz)


@contextmanager
def _fresh_library() -> Iterator[tuple[ctypes.CDLL, int]]:
    """Give the initialised library and the sampling rate of its speech in Hz.

    It is loaded anew for each call (5 ms): what it keeps in static variables would change the next samples.
    """
    try:
        import espeakng_loader
    except ImportError as error:
        raise TriptychError("speech synthesis needs espeakng-loader: pip install 'triptych[demo]'") from error
    data = espeakng_loader.get_data_path()
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    try:
        rate_hz = library.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, data.encode(), _INITIALIZE_DONT_EXIT)
        if rate_hz <= 0:
            raise TriptychError(f"eSpeak NG cannot read its voices in {data} (a path of at most 160 characters)")
        yield library, rate_hz
        library.espeak_Terminate()
    finally:
        _ctypes.dlclose(library._handle)


def _speak(library: ctypes.CDLL, text: str) -> np.ndarray:
    """Return the samples, int16 at the library's own rate."""
    blocks: list[np.ndarray] = []

    @_Callback
    def collect(samples, count, _events):
        if count:
            blocks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    data = text.encode()
    library.espeak_SetSynthCallback(collect)
    library.espeak_Synth(data, ctypes.c_size_t(len(data) + 1), 0, 0, 0, _CHARS_UTF8, None, None)
    library.espeak_Synchronize()
    return np.concatenate(blocks) if blocks else np.zeros(0, np.int16)


def _resample(samples: np.ndarray, rate_hz: int) -> np.ndarray:
    frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
    frame.sample_rate = rate_hz
    resampler = AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE_HZ)
    parts = [part.to_ndarray()[0] for part in (*resampler.resample(frame), *resampler.resample(None))]
    return np.concatenate(parts)
