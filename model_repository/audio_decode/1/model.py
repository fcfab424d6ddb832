"""Triton adapter: bytes -> 16 kHz mono, and cut for the sound model. See triptych/media/audio.py.

The file is read by a decoder, a process of its own: triptych/media/decoders.
"""

from pathlib import Path

from triptych.answer.status import Status
from triptych.media import audio
from triptych.serving import adapter, decoding, settings
from triptych.sound import detector


class TritonPythonModel:
    """Decodes and cuts the sound of one clip a request."""

    def initialize(self, args):
        folder = Path(args["model_repository"], args["model_version"])
        self.sound_samples = settings.read_int(folder, "sound_window_samples")
        self.decoders = decoding.decoders("audio_decode")
        self.speaks = detector.beside(folder.parents[1] / "speech_detector" / folder.name)

    def execute(self, requests):
        return adapter.each(requests, "audio_decode", self.decode, self.nothing, of_request=decoding.caller)

    def nothing(self):
        return self.cut(audio.without(Status("failed", "step_failed")))

    def decode(self, caller, video, clip):
        return self.cut(self.decoders.sound(video, caller, self.speaks))

    def cut(self, sound):
        windows = audio.sound_windows(sound.pcm, self.sound_samples)
        return {
            "PCM": sound.pcm,
            "SOUND_WINDOWS": windows.pcm,
            "SOUND_SPANS": windows.spans,
            "AUDIO_STATUS": sound.status.tensor(),
            "AUDIO_TRACKS": audio.track_rows(sound.tracks),
        }

    def finalize(self):
        self.decoders.close()
