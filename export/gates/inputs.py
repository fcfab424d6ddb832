"""Real inputs of the models: the tensors that a clip has on its way through the exported steps, and faces of FER2013.

The steps are run here one after the other, without a server; features by their numpy references.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort
from tokenizers import Tokenizer
from transformers import WhisperFeatureExtractor

from triptych.errors import TriptychError
from triptych.face import crop, tracks
from triptych.media import audio, probe, video
from triptych.media.limits import Limits
from triptych.resources import cores
from triptych.serving import settings
from triptych.sound import mel, spoken
from triptych.sound.detector import SpeechDetector
from triptych.words import text
from triptych.words.whisper.decoding import DecodingOptions
from triptych.words.whisper.model import Running
from triptych.words.whisper.recogniser import Recogniser
from triptych.words.whisper.transcripts import tensors
from triptych_client.contract import FACE_PX, SAMPLE_RATE_HZ

Feeds = dict[str, np.ndarray]

FER2013 = "fer2013_train_val.npz"
"""Arrays images u8 [n, 48, 48] and split [n], 1: validation."""
SEEN = frozenset({"face_detector", "expression"})
HEARD = frozenset({"sound_tagger", "sound_emotion", "voice_emotion", "text_emotion"})
STEPS_WITH_INPUTS = SEEN | HEARD
EVERY = 5
"""Of so many frames one is compared: they are 2.5 s apart."""


def of_clip(data: bytes, repository: Path, steps: Collection[str]) -> dict[str, Feeds]:
    """Return what each of these steps is given for a clip, by step; nothing for a step that is not among them.

    TriptychError when the clip has no face or no speech: then there is nothing to compare.
    """
    made = _seen(data, repository) if not SEEN.isdisjoint(steps) else {}
    if not HEARD.isdisjoint(steps):
        made |= _heard(data, repository, with_words="text_emotion" in steps)
    return {step: feeds for step, feeds in made.items() if step in steps}


def faces(folder: Path, most: int) -> Feeds:
    """Return validation faces of FER2013 as the step `expression` is given faces, each a person's only one."""
    with np.load(folder / FER2013, allow_pickle=False) as arrays:
        images = arrays["images"][arrays["split"] == 1]
    chosen = images[np.linspace(0, len(images) - 1, min(most, len(images))).astype(int)]
    grown = np.stack([cv2.resize(image, (FACE_PX, FACE_PX), interpolation=cv2.INTER_CUBIC) for image in chosen])
    return _faces(np.repeat(grown[..., None], 3, axis=3), np.arange(len(grown)), np.zeros(len(grown)))


def session(path: Path) -> ort.InferenceSession:
    """Load a graph."""
    return ort.InferenceSession(path, providers=["CPUExecutionProvider"])


def _faces(pictures: np.ndarray, people: np.ndarray, times_s: np.ndarray) -> Feeds:
    return {"FACES": pictures, "TRACK_POSITIONS": tracks.positions(people, times_s)}


def _seen(data: bytes, repository: Path) -> dict[str, Feeds]:
    limits = Limits()
    facts = probe.probe(data, limits)
    pictures = video.decode(data, facts.planned_times)
    detect = session(repository / "face_detector" / "1" / "model.onnx")
    boxes, scores, landmarks = map(
        np.asarray, detect.run(["BOXES", "SCORES", "LANDMARKS"], {"FRAMES": pictures.frames})
    )
    size = facts.width_px, facts.height_px
    cut = crop.crop_all(
        crop.DetectedFrames(pictures.frames, pictures.times, boxes, scores, landmarks, size), limits.faces
    )
    if int(cut.count[0]) < 1:
        raise TriptychError("the clip shows no face: the gates need one with a face")
    faces = _faces(cut.crops, cut.tracks, cut.times)
    return {"face_detector": {"FRAMES": pictures.frames[::EVERY]}, "expression": faces}


def _heard(data: bytes, repository: Path, *, with_words: bool) -> dict[str, Feeds]:
    pcm = audio.decode(data, probe.longest_s(Limits())).pcm
    samples = settings.read_int(repository / "audio_decode" / "1", "sound_window_samples")
    windows = audio.sound_windows(pcm, samples)
    sound = {"FEATURES": _features(repository / "sound_features" / "1", windows.pcm)}
    tagger = session(repository / "sound_tagger" / "1" / "model.onnx")
    tags, speech_tags = map(np.asarray, tagger.run(["TAGS", "SPEECH_TAGS"], sound))
    speech = SpeechDetector(repository / "speech_detector" / "1").detect(pcm, windows.spans, speech_tags)
    if not len(speech):
        raise TriptychError("nobody speaks in the clip: the gates need one with speech")
    voice = {"FEATURES": _features(repository / "voice_features" / "1", spoken.voice_windows(pcm, speech).pcm)}
    words = {"text_emotion": _words(repository, spoken.chunks(pcm, speech))} if with_words else {}
    return {"sound_tagger": sound, "sound_emotion": {"TAGS": np.asarray(tags)}, "voice_emotion": voice, **words}


def _features(folder: Path, windows: np.ndarray) -> np.ndarray:
    compute = mel.FEATURES[settings.read_text(folder, "features")]
    return np.stack([compute(window) for window in windows])


def _words(repository: Path, chunks: spoken.Chunks) -> Feeds:
    bands = settings.read_int(repository / "whisper_features" / "1", "n_mels")
    extract = WhisperFeatureExtractor(feature_size=bands)
    log_mel = extract(list(chunks.pcm), sampling_rate=SAMPLE_RATE_HZ, return_tensors="np").input_features
    recogniser = Recogniser(repository / "whisper" / "1", Running(cores()))
    said = recogniser.transcribe(log_mel, chunks.pieces, [DecodingOptions()] * len(chunks.pcm))
    folder = repository / "text_tokens" / "1"
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    prefix = settings.read_text(folder, text.PREFIX_SETTING)
    ids, mask = text.tokenize(tokenizer, text.texts(tensors(said)["UTTERANCES"]), prefix)
    return {"INPUT_IDS": ids, "ATTENTION_MASK": mask}
