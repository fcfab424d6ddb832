"""Triton adapter: sound -> when somebody speaks, and that speech cut for two models. See triptych/sound/speech.py."""

from pathlib import Path

from triptych.serving import adapter
from triptych.sound import spoken
from triptych.sound.detector import SpeechDetector


class TritonPythonModel:
    """Detects and cuts the speech of one clip a request."""

    def initialize(self, args):
        self.detector = SpeechDetector(Path(args["model_repository"], args["model_version"]))

    def execute(self, requests):
        return adapter.each(requests, "speech_detector", self.detect)

    def detect(self, pcm, sound_spans, speech_tags):
        speech = self.detector.detect(pcm, sound_spans, speech_tags)
        chunks = spoken.chunks(pcm, speech)
        voice_windows = spoken.voice_windows(pcm, speech)
        return {
            "SPEECH_SPANS": spoken.in_seconds(speech),
            "CHUNKS": chunks.pcm,
            "CHUNK_PIECES": chunks.pieces,
            "VOICE_WINDOWS": voice_windows.pcm,
            "VOICE_SPANS": voice_windows.spans,
        }
