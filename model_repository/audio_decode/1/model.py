"""Triton adapter: bytes -> 16 kHz mono, cut for the speech, sound and voice models. See triptych/media/audio.py."""

from pathlib import Path

from triptych.media import audio
from triptych.media.limits import Limits
from triptych.media.probe import longest_s
from triptych.serving import adapter, settings


class TritonPythonModel:
    """Decodes and cuts the sound of one clip a request."""

    def initialize(self, args):
        folder = Path(args["model_repository"], args["model_version"])
        self.sound_samples = settings.read_int(folder, "sound_window_samples")
        self.max_seconds = longest_s(Limits.from_environment())

    def execute(self, requests):
        return adapter.each(requests, "audio_decode", self.decode)

    def decode(self, video, clip):
        sound = audio.decode(video, self.max_seconds)
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
        }
