"""An answer by hand, tensor by tensor: a clip of 6 s with a face and two utterances, and no voice model."""

from __future__ import annotations

import numpy as np

from triptych_client import decode
from triptych_client.contract import ANSWER, EMOTIONS, LOOK_COUNTS, LOOKS_EACH
from triptych_client.results import Analysis

PATH = "clips/demo.mp4"
SHA256 = "59534287fdfb125e4a3d9a9c6f6d1b4f4f1b3a3d2d5e6f708192a3b4c5d6e7f8"
NAN = [np.nan] * 7
SAD = [0.08, 0.06, 0.05, 0.148, 0.341, 0.106, 0.215]
HAPPY = [0.02, 0.03, 0.04, 0.7, 0.05, 0.06, 0.1]
ANGRY = [0.6, 0.1, 0.05, 0.05, 0.1, 0.05, 0.05]


def f32(values: object) -> np.ndarray:
    return np.array(values, np.float32)


def strings(values: object) -> np.ndarray:
    array = np.array(values, dtype=object)
    return np.array([text.encode() for text in array.ravel()], dtype=object).reshape(array.shape)


def tensors(**changes: np.ndarray) -> dict[str, np.ndarray]:
    """Return the answer's tensors by name, with some of them exchanged."""
    return {
        "CLIP": f32([6.04, 1280, 720, 25, 1, 1]),
        "AUDIO_TRACKS": strings([["1", "", "eng", "6", ""], ["2", "Рассказ", "", "2", "all"]]),
        "PROBABILITIES": f32(SAD),
        "LOGITS": f32(np.log(SAD)),
        "CONTRIBUTIONS": f32([[0.5, -0.5, 0, 0.25, 1, 0, 0], [0.1] * 7, [0] * 7, [0.2] * 7]),
        "CHANNEL_PROBABILITIES": f32([SAD, HAPPY, NAN, ANGRY]),
        "CHANNEL_WEIGHTS": f32([0.5, 0.2, 0, 0.3]),
        "CHANNEL_STATUS": strings([["ok", "", ""], ["ok", "", ""], ["absent", "no_model", ""], ["ok", "", ""]]),
        "ABSTAINED": np.array([False]),
        "CONFLICT": np.array([True]),
        "RATIONALE_PARTS": strings([["cause", "face", "sadness", ""], ["against", "sound", "happiness", "Giggle"]]),
        "RATIONALE_SPANS": f32([[0.04, 2.04], [3, 3.96]]),
        "TIMELINE_SPANS": f32([[0, 2], [1, 3], [2, 4], [3, 5], [4, 6.04]]),
        "TIMELINE_PROBABILITIES": f32([SAD, SAD, HAPPY, NAN, ANGRY]),
        "TIMELINE_CHANNELS": f32([[SAD, NAN, NAN, ANGRY]] * 5),
        "TRACK_SPANS": f32([[0.04, 2.04]]),
        "TRACK_SPEECH": f32([1.5]),
        "TRACK_PROBABILITIES": f32([HAPPY]),
        "TRACK_TIMELINES": f32([[SAD, SAD, HAPPY, NAN, NAN]]),
        "MAIN_TRACK": np.array([0], np.int32),
        "MAIN_TRACK_REASON": strings(["only"]),
        "FACE_PROBABILITIES": f32([SAD, HAPPY]),
        "FACE_TIMES": f32([0.04, 2.04]),
        "FACE_TRACKS": np.array([0, 0], np.int32),
        "FACE_BOXES": f32([[512.5, 100, 700, 330.25], [514, 101, 702, 331]]),
        "FACE_SCORES": f32([0.999, 0.97]),
        "TEXTS": strings(["Ну что, звоним в скорую?", "Он меня бросил [и] ещё <смеётся> & молчит."]),
        "TEXT_SPANS": f32([[0.4, 1.9], [4.1, 5.9]]),
        "TEXT_LANGUAGES": strings(["ru", "ru"]),
        "TEXT_LANGUAGE_CONFIDENCES": f32([0.97, 0.97]),
        "TEXT_PROBABILITIES": f32([SAD, ANGRY]),
        "TEXT_EXPRESSED": f32([SAD, ANGRY]),
        "TEXT_CONFIDENCES": f32([0.91, 0.83]),
        "LANGUAGE": strings(["ru"]),
        "TAG_NAMES": strings(["Speech", "Giggle", "Rattle"]),
        "TAG_SCORES": f32([0.92, 0.31, 0.06]),
        "TIMELINE_TAGS": f32([[0.9, 0.1, 0], [0.9, 0.2, 0], [0.95, 0.3, 0.1], [0.9, 0.31, 0.06], NAN[:3]]),
        "RELIABILITY": f32([0.25, 0.5, 0.625, 24]),
        "RELIABILITY_ON": strings(["ravdess-126"]),
        "MODELS": strings([["face", "fer-cnn", SHA256, "MIT"], ["sound", "tag-comparison", "", "MIT"]]),
        "VERSION": strings(["0.1.0"]),
        **changes,
    }


def looks(*faces: int) -> dict[str, np.ndarray]:
    """Return the tensor of how the people look: of each, one face, whose patterns are those of a number."""
    told = np.zeros((max(len(faces), 1), LOOKS_EACH, LOOK_COUNTS), np.uint8)
    for row, number in zip(told, faces or (0,)):
        row[0, 59 * np.arange(64) + number] = 64
    return {"TRACK_LOOKS": told}


def empty() -> dict[str, np.ndarray]:
    """Return the answer for a clip of noise without a picture: no faces, no speech, no tags, no channel."""
    return tensors(
        CLIP=f32([6.04, np.nan, np.nan, np.nan, 0, 1]),
        AUDIO_TRACKS=strings([[""] * 5]),
        PROBABILITIES=f32([1 / 7] * 7),
        CONTRIBUTIONS=f32(np.zeros((4, 7))),
        CHANNEL_PROBABILITIES=f32([NAN] * 4),
        CHANNEL_WEIGHTS=f32([0] * 4),
        CHANNEL_STATUS=strings([["absent", "no_video_track", ""], *[["failed", "undecodable_audio", "aac"]] * 3]),
        ABSTAINED=np.array([True]),
        CONFLICT=np.array([False]),
        RATIONALE_PARTS=np.zeros((0, 4), object),
        RATIONALE_SPANS=f32(np.zeros((0, 2))),
        TIMELINE_SPANS=f32([[0, 6.04]]),
        TIMELINE_PROBABILITIES=f32([NAN]),
        TIMELINE_CHANNELS=f32([[NAN] * 4]),
        TRACK_SPANS=f32(np.zeros((0, 2))),
        TRACK_SPEECH=f32([]),
        TRACK_PROBABILITIES=f32(np.zeros((0, 7))),
        TRACK_TIMELINES=f32(np.zeros((0, 1, 7))),
        MAIN_TRACK=np.array([-1], np.int32),
        MAIN_TRACK_REASON=strings([""]),
        FACE_PROBABILITIES=f32(np.zeros((0, 7))),
        FACE_TIMES=f32([]),
        FACE_TRACKS=np.zeros(0, np.int32),
        FACE_BOXES=f32(np.zeros((0, 4))),
        FACE_SCORES=f32([]),
        TEXTS=np.zeros(0, object),
        TEXT_SPANS=f32(np.zeros((0, 2))),
        TEXT_LANGUAGES=np.zeros(0, object),
        TEXT_LANGUAGE_CONFIDENCES=f32([]),
        TEXT_PROBABILITIES=f32(np.zeros((0, 7))),
        TEXT_EXPRESSED=f32(np.zeros((0, 7))),
        TEXT_CONFIDENCES=f32([]),
        LANGUAGE=strings([""]),
        TAG_NAMES=np.zeros(0, object),
        TAG_SCORES=f32([]),
        TIMELINE_TAGS=f32(np.zeros((1, 0))),
        RELIABILITY=f32([np.nan] * 4),
        RELIABILITY_ON=strings([""]),
    )


def analysis(path: str | None = PATH, **changes: np.ndarray) -> Analysis:
    return decode.analysis(tensors(**changes), path, "2.51.0")


def nothing() -> Analysis:
    return decode.analysis(empty(), PATH, "2.51.0")


assert set(tensors()) == {tensor.name for tensor in ANSWER}, "the sample has the tensors of the contract"
assert len(SAD) == len(EMOTIONS)
