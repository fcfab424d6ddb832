"""The graph of the step `speech_detector`, run on the sound of a clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort

from triptych.sound import speech
from triptych.sound.speech import FRAME_SAMPLES


class SpeechDetector:
    """A detector of speech, loaded from a folder: PCM float32 [512 n] -> SPEECH float32 [n], a probability a frame."""

    def __init__(self, folder: Path) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1  # one frame waits for the one before it
        options.enable_cpu_mem_arena = False
        self.session = ort.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])

    def detect(self, pcm: np.ndarray, windows: np.ndarray, speech_tags: np.ndarray) -> np.ndarray:
        """Return where speech is in sound FP32 [samples]: INT [v, 2] in samples.

        `windows` [p, 2] are those of the tagger, in seconds, `speech_tags` [p, 2] what it says of each.
        """
        if not len(pcm):
            return np.zeros((0, 2), np.int64)
        whole_frames = np.pad(speech.at_level(pcm), (0, -len(pcm) % FRAME_SAMPLES))
        (probabilities,) = self.session.run(["SPEECH"], {"PCM": whole_frames})
        tags = speech.tags_of_frames(len(probabilities), windows, speech_tags)
        return speech.spans(probabilities, tags, len(pcm))
