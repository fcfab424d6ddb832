"""Real inputs of the models: the tensors that a clip has on its way through the exported steps.

The steps are run here one after the other, without a server; features by their numpy references.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path

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
from triptych.sound.detector import SpeechDetector, whole_frames
from triptych.words import text
from triptych.words.whisper.decoding import DecodingOptions
from triptych.words.whisper.model import Running
from triptych.words.whisper.recogniser import Recogniser
from triptych.words.whisper.transcripts import tensors
from triptych_client.contract import SAMPLE_RATE_HZ

Feeds = dict[str, np.ndarray]

SEEN = frozenset({"face_detector", "expression"})
SOUNDS = frozenset({"sound_tagger", "sound_emotion", "speech_detector"})
"""Steps that hear whatever sounds."""
SPEECH = frozenset({"voice_emotion", "whisper"})
"""Steps that hear speech only."""
WORDS = "text_emotion"
HEARD = SOUNDS | SPEECH | {WORDS}
STEPS_WITH_INPUTS = SEEN | HEARD
EVERY = 5
"""Of so many frames one is compared: they are 2.5 s apart."""


def of_clip(data: bytes, repository: Path, steps: Collection[str]) -> dict[str, Feeds]:
    """Return what each of these steps is given for a clip, by step; nothing for a step that is not among them.

    TriptychError when the clip has no face or no speech: then there is nothing to compare.
    """
    made = _seen(data, repository) if not SEEN.isdisjoint(steps) else {}
    if not HEARD.isdisjoint(steps):
        made |= of_sound(audio.decode(data, probe.longest_s(Limits())).pcm, repository)
        if not made.keys() >= SPEECH:
            raise TriptychError("nobody speaks in the clip: the gates need one with speech")
        if WORDS in steps:
            made[WORDS] = of_texts(_said(made["whisper"], repository), repository)
    return {step: feeds for step, feeds in made.items() if step in steps}


def of_sound(pcm: np.ndarray, repository: Path) -> dict[str, Feeds]:
    """Return what the steps that hear are given for a sound f32 [samples]; none of SPEECH where nobody speaks."""
    samples = settings.read_int(repository / "audio_decode" / "1", "sound_window_samples")
    windows = audio.sound_windows(pcm, samples)
    sound = {"FEATURES": _features(repository / "sound_features" / "1", windows.pcm)}
    tagger = session(repository / "sound_tagger" / "1" / "model.onnx")
    tags, speech_tags = map(np.asarray, tagger.run(["TAGS", "SPEECH_TAGS"], sound))
    made = {"sound_tagger": sound, "sound_emotion": {"TAGS": tags}, "speech_detector": {"PCM": whole_frames(pcm)}}
    speech = _detector(repository).detect(pcm, windows.spans, speech_tags)
    if not len(speech):
        return made
    voice = _features(repository / "voice_features" / "1", spoken.voice_windows(pcm, speech).pcm)
    chunks = spoken.chunks(pcm, speech)
    bands = settings.read_int(repository / "whisper_features" / "1", "n_mels")
    heard = {"log_mel": log_mels(chunks.pcm, bands), "pieces": chunks.pieces}
    return {**made, "voice_emotion": {"FEATURES": voice}, "whisper": heard}


def log_mels(pcm: np.ndarray, bands: int) -> np.ndarray:
    """Return the log-mels f32 [n, bands, 3000] of sounds f32 [n, samples] of at most 30 s, as transformers has them."""
    extract = WhisperFeatureExtractor(feature_size=bands)
    return extract(list(pcm), sampling_rate=SAMPLE_RATE_HZ, return_tensors="np").input_features


def of_texts(texts: Sequence[str], repository: Path) -> Feeds:
    """Return what the step `text_emotion` is given for texts."""
    folder = repository / "text_tokens" / "1"
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    ids, mask = text.tokenize(tokenizer, texts, settings.read_text(folder, text.PREFIX_SETTING))
    return {"INPUT_IDS": ids, "ATTENTION_MASK": mask}


def of_faces(pictures: np.ndarray, people: np.ndarray, times_s: np.ndarray) -> Feeds:
    """Return what the step `expression` is given for faces u8 [n, 112, 112, 3]: of whom [n], and when [n]."""
    return {"FACES": pictures, "TRACK_POSITIONS": tracks.positions(people, times_s)}


@cache
def session(path: Path) -> ort.InferenceSession:
    """Load a graph."""
    return ort.InferenceSession(path, providers=["CPUExecutionProvider"])


@cache
def _detector(repository: Path) -> SpeechDetector:
    return SpeechDetector(repository / "speech_detector" / "1")


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
    faces = of_faces(cut.crops, cut.tracks, cut.times)
    return {"face_detector": {"FRAMES": pictures.frames[::EVERY]}, "expression": faces}


def _features(folder: Path, windows: np.ndarray) -> np.ndarray:
    compute = mel.FEATURES[settings.read_text(folder, "features")]
    return np.stack([compute(window) for window in windows])


def _said(heard: Feeds, repository: Path) -> list[str]:
    recogniser = Recogniser(repository / "whisper" / "1", Running(cores()))
    said = recogniser.transcribe(heard["log_mel"], heard["pieces"], [DecodingOptions()] * len(heard["log_mel"]))
    return text.texts(tensors(said)["UTTERANCES"])
