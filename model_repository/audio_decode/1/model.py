"""Triton adapter: bytes -> 16 kHz mono, cut for the speech, sound and voice models. See triptych/media/audio.py.

The file is read by a decoder, a process of its own: triptych/media/decoders.
"""

from pathlib import Path

from triptych.answer.status import Status
from triptych.media import audio
from triptych.serving import adapter, decoding, settings


class TritonPythonModel:
    """Decodes and cuts the sound of one clip a request."""

    def initialize(self, args):
        folder = Path(args["model_repository"], args["model_version"])
        self.sound_samples = settings.read_int(folder, "sound_window_samples")
        self.decoders = decoding.decoders("audio_decode")

    def execute(self, requests):
        return adapter.each(requests, "audio_decode", self.decode, self.nothing, of_request=decoding.caller)

    def nothing(self):
        return self.cut(audio.without(Status("failed", "step_failed")))

    def decode(self, caller, video, clip):
        return self.cut(self.decoders.sound(video, caller))

    def cut(self, sound):
        chunks = audio.chunks(sound.pcm)
        sound_windows = audio.sound_windows(sound.pcm, self.sound_samples)
        voice_windows = audio.voice_windows(sound.pcm)
        return {
            "CHUNKS": chunks.pcm,
            "CHUNK_SPANS": chunks.spans,
            "SOUND_WINDOWS": sound_windows.pcm,
            "SOUND_SPANS": sound_windows.spans,
            "VOICE_WINDOWS": voice_windows.pcm,
            "VOICE_SPANS": voice_windows.spans,
            "AUDIO_STATUS": sound.status.tensor(),
            "AUDIO_TRACKS": audio.track_rows(sound.tracks),
        }

    def finalize(self):
        self.decoders.close()
