"""The served graph in one process: the same exported models and the same functions, step after step, without Triton.

It is what the pure cost of a step is measured with, and what somebody would put behind another server. Tensors meet as
in the ensemble (`triptych.serving.wiring`), so that any step's question is what it is given there. Decoding happens in
this process too: Triptych gives it to processes of its own, since decoders crash.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnxruntime as ort
from nvidia.dali import Pipeline as DaliPipeline
from nvidia.dali._utils.autoserialize import invoke_autoserialize
from tokenizers import Tokenizer

from triptych.answer import answer
from triptych.face import crop
from triptych.media import audio, probe, video
from triptych.media.limits import Limits
from triptych.paths import MODEL_REPOSITORY
from triptych.resources import cores
from triptych.serving import settings, wiring
from triptych.sound import detector, spoken
from triptych.words import text
from triptych.words.whisper.decoding import DecodingOptions
from triptych.words.whisper.model import Running
from triptych.words.whisper.recogniser import Recogniser
from triptych.words.whisper.transcripts import tensors
from triptych_client.contract import CLIP_FIELDS, STEPS, VIDEO
from triptych_client.graph import WHOLE

Arrays = Mapping[str, np.ndarray]
Run = Callable[[Arrays], Arrays]
"""Takes a step's inputs by name, and returns its outputs."""

NETWORKS = ("face_detector", "expression", "sound_tagger", "sound_emotion", "voice_emotion", "text_emotion")
FEATURES = ("sound_features", "voice_features", "whisper_features")
THREADED = (*NETWORKS, *FEATURES, "whisper")
"""Steps that are told how many threads to use; the others have one, or as the decoder of pictures their own."""


class InProcess:
    """Every step, loaded once, with so many threads each."""

    def __init__(self, threads: int = 0, repository: Path = MODEL_REPOSITORY) -> None:
        self.threads = threads or cores()
        self.limits = Limits.from_environment()
        self._repository = repository
        self._nodes = wiring.nodes()
        self._steps: dict[str, Run] = {
            "media_probe": self._probe,
            "video_decode": self._frames,
            "face_crop": self._faces,
            "audio_decode": self._sound_decoder(),
            "speech_detector": self._speech_detector(),
            "whisper": self._recogniser(),
            "text_tokens": self._tokenizer(),
            "fusion": self._fusion(),
            **{name: self._network(name) for name in NETWORKS},
            **{name: features(name, self._folder(name), self.threads) for name in FEATURES},
        }

    def analyze(self, clip: bytes) -> dict[str, np.ndarray]:
        """Return every output of the ensemble for a clip."""
        known = self._walk(clip)
        return {tensor.name: known[tensor.name] for tensor in WHOLE.outputs}

    def questions(self, clip: bytes) -> dict[str, Arrays]:
        """Return what each step is given of a clip."""
        known = self._walk(clip)
        return {node.step.name: {name: known[asked] for name, asked in node.inputs.items()} for node in self._nodes}

    def run(self, step: str, inputs: Arrays) -> Arrays:
        """Run a step."""
        return self._steps[step](inputs)

    def _walk(self, clip: bytes) -> dict[str, np.ndarray]:
        known: dict[str, np.ndarray] = {VIDEO.name: np.frombuffer(clip, np.uint8)}
        for node in self._nodes:
            outputs = self.run(node.step.name, {name: known[asked] for name, asked in node.inputs.items()})
            known.update({name: outputs[made] for made, name in node.outputs.items()})
        return known

    def _folder(self, step: str) -> Path:
        return self._repository / step / "1"

    def _probe(self, given: Arrays) -> Arrays:
        facts = probe.probe(given["VIDEO"], self.limits)
        return {
            "CLIP": facts.clip(),
            "PLANNED_INDICES": facts.planned_indices,
            "PLANNED_TIMES": facts.planned_times,
        }

    def _frames(self, given: Arrays) -> Arrays:
        seen = video.decode(given["VIDEO"], given["PLANNED_TIMES"], self.limits)
        return {"FRAMES": seen.frames, "FRAME_TIMES": seen.times, "VIDEO_STATUS": seen.status.tensor()}

    def _faces(self, given: Arrays) -> Arrays:
        facts = dict(zip(CLIP_FIELDS, given["CLIP"]))
        detected = crop.DetectedFrames(
            given["FRAMES"],
            given["FRAME_TIMES"],
            given["BOXES"],
            given["SCORES"],
            given["LANDMARKS"],
            (facts["width_px"], facts["height_px"]),
        )
        return crop.crop_all(detected, crop.max_faces(self.limits)).tensors()

    def _sound_decoder(self) -> Run:
        samples = settings.read_int(self._folder("audio_decode"), "sound_window_samples")
        speaks = detector.beside(self._folder("speech_detector"))

        def run(given: Arrays) -> Arrays:
            sound = audio.decode(given["VIDEO"], probe.longest_s(self.limits), speaks)
            windows = audio.sound_windows(sound.pcm, samples)
            return {
                "PCM": sound.pcm,
                "SOUND_WINDOWS": windows.pcm,
                "SOUND_SPANS": windows.spans,
                "AUDIO_STATUS": sound.status.tensor(),
                "AUDIO_TRACKS": audio.track_rows(sound.tracks),
            }

        return run

    def _speech_detector(self) -> Run:
        loaded = detector.SpeechDetector(self._folder("speech_detector"))

        def run(given: Arrays) -> Arrays:
            pcm = given["PCM"]
            speech = loaded.detect(pcm, given["SOUND_SPANS"], given["SPEECH_TAGS"])
            chunks, windows = spoken.chunks(pcm, speech), spoken.voice_windows(pcm, speech)
            return {
                "SPEECH_SPANS": spoken.in_seconds(speech),
                "CHUNKS": chunks.pcm,
                "CHUNK_PIECES": chunks.pieces,
                "VOICE_WINDOWS": windows.pcm,
                "VOICE_SPANS": windows.spans,
            }

        return run

    def _recogniser(self) -> Run:
        loaded = Recogniser(self._folder("whisper"), Running(self.threads))

        def run(given: Arrays) -> Arrays:
            log_mel, pieces = given["LOG_MEL"], given["CHUNK_PIECES"]
            options = [DecodingOptions(clip=number) for number in range(len(pieces))]
            return tensors(loaded.transcribe(log_mel, pieces, options))

        return run

    def _tokenizer(self) -> Run:
        folder = self._folder("text_tokens")
        loaded = Tokenizer.from_file(str(folder / "tokenizer.json"))
        prefix = settings.read_text(folder, text.PREFIX_SETTING)

        def run(given: Arrays) -> Arrays:
            ids, mask = text.tokenize(loaded, text.texts(given["UTTERANCES"]), prefix)
            return {"INPUT_IDS": ids, "ATTENTION_MASK": mask}

        return run

    def _fusion(self) -> Run:
        manifest = answer.Manifest.read(self._folder("fusion"))
        return lambda given: answer.answer(dict(given), manifest)

    def _network(self, step: str) -> Run:
        """Load a graph as the server does: threads that wait do not spin."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = ort.InferenceSession(self._folder(step) / "model.onnx", options, providers=["CPUExecutionProvider"])
        taken = [node.name for node in session.get_inputs()]
        given_back = [tensor.name for tensor in STEPS[step].outputs]

        def run(given: Arrays) -> Arrays:
            outputs = session.run(given_back, {name: given[name] for name in taken})
            return dict(zip(given_back, map(np.asarray, outputs)))

        return run


def features(step: str, folder: Path, threads: int) -> Run:
    """Return a step of features: the pipeline of DALI in its folder, run as the server runs it."""
    ((given_name,), (made_name,)) = ([end.name for end in ends] for ends in (STEPS[step].inputs, STEPS[step].outputs))
    pipeline = DaliPipeline.deserialize(
        serialized_pipeline=_serialised(folder / "dali.py"),
        batch_size=STEPS[step].max_batch_size,
        num_threads=threads,
        device_id=None,
        prefetch_queue_depth=1,
    )
    pipeline.build()

    def run(given: Arrays) -> Arrays:
        pipeline.feed_input(given_name, list(given[given_name]))
        (output,) = pipeline.run()
        return {made_name: np.stack([np.array(sample) for sample in output])}

    return run


def _serialised(source: Path) -> bytes:
    """Return the pipeline that a dali.py defines."""
    spec = importlib.util.spec_from_file_location(f"pipeline_{source.parents[1].name}", source)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.dali")
        invoke_autoserialize(module, str(path))
        return path.read_bytes()
