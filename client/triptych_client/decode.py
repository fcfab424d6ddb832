"""From the tensors of the answer (contract.ANSWER) to an Analysis. Pure: no network, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import starmap
from typing import Any

import numpy as np

from triptych_client.contract import (
    AUDIO_TRACK_FIELDS,
    CHANNELS,
    CLIP_FIELDS,
    EMBEDDINGS,
    EMOTIONS,
    LOOKS,
    MODEL_FIELDS,
    RATIONALE_FIELDS,
    RELIABILITY_FIELDS,
)
from triptych_client.results import (
    Analysis,
    AudioTag,
    AudioTrack,
    Channel,
    Clip,
    Emotion,
    Face,
    Model,
    Person,
    Probabilities,
    RationalePart,
    Reliability,
    Server,
    TimelineWindow,
    Transcript,
    Utterance,
)

Arrays = Mapping[str, np.ndarray]

UNSPACED_LANGUAGES = frozenset({"zh", "ja", "th", "lo", "my"})
"""Languages written without spaces between sentences (as in Whisper's tokenizer, split_to_word_tokens)."""


def analysis(arrays: Arrays, path: str | None, triton_version: str) -> Analysis:
    """Return the answer that the tensors hold.

    `arrays` has every tensor of contract.ANSWER in its shape and dtype (BYTES: object arrays of UTF-8 bytes), and may
    have those of contract.EMBEDDINGS and LOOKS. NaN becomes None.
    """
    answer = Analysis(
        clip=_clip(arrays["CLIP"], path),
        emotion=_emotion(arrays),
        channels=_channels(arrays),
        transcript=_transcript(arrays),
        audio_tags=_audio_tags(arrays),
        audio_tracks=_audio_tracks(arrays),
        faces=_faces(arrays),
        people=_people(arrays),
        timeline=_timeline(arrays),
        rationale="",
        rationale_parts=_rationale_parts(arrays),
        models={row[0]: _model(row) for row in _texts(arrays["MODELS"])},
        server=Server(triton=triton_version, triptych=_texts(arrays["VERSION"])[0]),
        embeddings={tensor.name: arrays[tensor.name] for tensor in (*EMBEDDINGS, *LOOKS) if tensor.name in arrays},
    )
    return answer.in_language("en")


def _clip(facts: np.ndarray, path: str | None) -> Clip:
    fact = dict(zip(CLIP_FIELDS, _numbers(facts), strict=True))
    has_video = bool(fact["has_video"])
    return Clip(
        path=path,
        duration_s=fact["duration_s"],
        width=_whole(fact["width_px"]) if has_video else None,
        height=_whole(fact["height_px"]) if has_video else None,
        frame_rate=fact["frame_rate_hz"] if has_video else None,
        has_video=has_video,
        has_audio=bool(fact["has_audio"]),
    )


def _emotion(arrays: Arrays) -> Emotion:
    probabilities: dict[str, float] = dict(zip(EMOTIONS, _shares(arrays["PROBABILITIES"]), strict=True))
    ranked = sorted(probabilities.items(), key=lambda item: -item[1])
    track = int(arrays["MAIN_TRACK"][0])
    return Emotion(
        label=ranked[0][0],
        confidence=ranked[0][1],
        probabilities=probabilities,
        top3=tuple(ranked[:3]),
        abstained=bool(arrays["ABSTAINED"][0]),
        conflict=bool(arrays["CONFLICT"][0]),
        track=track if track >= 0 else None,
        track_reason=_texts(arrays["MAIN_TRACK_REASON"])[0],
        reliability=_reliability(arrays),
    )


def _reliability(arrays: Arrays) -> Reliability | None:
    row = dict(zip(RELIABILITY_FIELDS, _numbers(arrays["RELIABILITY"]), strict=True))
    if row["clips"] is None:
        return None
    return Reliability(
        row["least"], row["most"], row["right"], round(row["clips"]), _texts(arrays["RELIABILITY_ON"])[0]
    )


def _channels(arrays: Arrays) -> dict[str, Channel]:
    columns = zip(
        CHANNELS,
        _texts(arrays["CHANNEL_STATUS"]),
        _shares(arrays["CHANNEL_WEIGHTS"]),
        _distributions(arrays["CHANNEL_PROBABILITIES"]),
        _numbers(arrays["CONTRIBUTIONS"]),
        strict=True,
    )
    return {
        name: Channel(
            status=state,
            reason="",
            weight=weight,
            probabilities=probabilities,
            contribution=_by_emotion(contribution) if state == "ok" else None,
            reason_code=code,
            reason_value=value,
        )
        for name, (state, code, value), weight, probabilities, contribution in columns
    }


def _transcript(arrays: Arrays) -> Transcript:
    columns = zip(
        _numbers(arrays["TEXT_SPANS"]),
        _texts(arrays["TEXTS"]),
        _distributions(arrays["TEXT_PROBABILITIES"]),
        _shares(arrays["TEXT_CONFIDENCES"]),
        _texts(arrays["TEXT_LANGUAGES"]),
        _distributions(arrays["TEXT_EXPRESSED"]),
        _shares(arrays["TEXT_LANGUAGE_CONFIDENCES"]),
        strict=True,
    )
    utterances = tuple(
        Utterance(
            start_s, end_s, text.strip(), probabilities, confidence, spoken or None, expressed, language_confidence
        )
        for (start_s, end_s), text, probabilities, confidence, spoken, expressed, language_confidence in columns
    )
    language = _texts(arrays["LANGUAGE"])[0] or None
    return Transcript(language, joined((u.text for u in utterances), language), utterances)


def _audio_tags(arrays: Arrays) -> tuple[AudioTag, ...]:
    timelines = map(tuple, _shares(arrays["TIMELINE_TAGS"].T))
    columns = zip(_texts(arrays["TAG_NAMES"]), _shares(arrays["TAG_SCORES"]), timelines, strict=True)
    return tuple(starmap(AudioTag, columns))


def _audio_tracks(arrays: Arrays) -> tuple[AudioTrack, ...]:
    """Return the sound tracks; a row whose index is no number stands for none."""
    rows = (dict(zip(AUDIO_TRACK_FIELDS, row, strict=True)) for row in _texts(arrays["AUDIO_TRACKS"]))
    return tuple(
        AudioTrack(int(row["index"]), row["title"], row["language"], int(row["channels"]), row["heard"] or None)
        for row in rows
        if row["index"].isdigit()
    )


def _faces(arrays: Arrays) -> tuple[Face, ...]:
    columns = zip(
        _numbers(arrays["FACE_TIMES"]),
        arrays["FACE_TRACKS"].tolist(),
        map(tuple, _numbers(arrays["FACE_BOXES"])),
        _shares(arrays["FACE_SCORES"]),
        _distributions(arrays["FACE_PROBABILITIES"]),
        strict=True,
    )
    return tuple(starmap(Face, columns))


def _people(arrays: Arrays) -> tuple[Person, ...]:
    columns = zip(
        _numbers(arrays["TRACK_SPANS"]),
        _numbers(arrays["TRACK_SPEECH"]),
        _distributions(arrays["TRACK_PROBABILITIES"]),
        map(_distributions, arrays["TRACK_TIMELINES"]),
        strict=True,
    )
    return tuple(
        Person(track, start_s, end_s, speech_s, overall, tuple(by_window))
        for track, ((start_s, end_s), speech_s, overall, by_window) in enumerate(columns)
    )


def _timeline(arrays: Arrays) -> tuple[TimelineWindow, ...]:
    columns = zip(
        _numbers(arrays["TIMELINE_SPANS"]),
        _distributions(arrays["TIMELINE_PROBABILITIES"]),
        map(_distributions, arrays["TIMELINE_CHANNELS"]),
        strict=True,
    )
    return tuple(
        TimelineWindow(start_s, end_s, fused, dict(zip(CHANNELS, channels, strict=True)))
        for (start_s, end_s), fused, channels in columns
    )


def _rationale_parts(arrays: Arrays) -> tuple[RationalePart, ...]:
    columns = zip(_texts(arrays["RATIONALE_PARTS"]), _numbers(arrays["RATIONALE_SPANS"]), strict=True)
    return tuple(
        RationalePart(**dict(zip(RATIONALE_FIELDS, texts, strict=True)), start_s=start_s, end_s=end_s)
        for texts, (start_s, end_s) in columns
    )


def _model(row: list[str]) -> Model:
    column = dict(zip(MODEL_FIELDS, row, strict=True))
    return Model(name=column["name"], sha256=column["sha256"] or None, licence=column["licence"])


def joined(texts: Iterable[str], language: str | None) -> str:
    """Join utterances with spaces, or without in a language written so (a translation into English has them again)."""
    joined = ""
    for text in texts:
        unspaced = language in UNSPACED_LANGUAGES and not text[:1].isascii()
        joined += text if unspaced or not joined else f" {text}"
    return joined


def _by_emotion(row: list[float | None]) -> Probabilities | None:
    """Return the row by emotion; None when it has no evidence."""
    present = [value for value in row if value is not None]
    return dict(zip(EMOTIONS, present, strict=True)) if len(present) == len(row) else None


def _distributions(array: np.ndarray) -> list[Probabilities | None]:
    """Return the rows [n, 7] by emotion; None for those without evidence."""
    return [_by_emotion(row) for row in _shares(array)]


def _whole(number: float | None) -> int | None:
    return None if number is None else round(number)


def _numbers(array: np.ndarray) -> list[Any]:
    """Return nested lists of the shortest decimals that are the same float32 (0.341, not 0.34099999); NaN: None."""
    shortest = array.astype(str).astype(np.float64)
    numbers = shortest.astype(object)
    numbers[~np.isfinite(shortest)] = None
    return numbers.tolist()


def _shares(array: np.ndarray) -> list[Any]:
    """Return numbers within [0, 1], which rounding of float32 sums may leave by a hair."""
    return _numbers(np.clip(array, 0, 1))


def _texts(array: np.ndarray) -> list[Any]:
    """Return nested lists of the texts of a BYTES tensor."""
    decoded = [bytes(item).decode("utf-8", "replace") for item in array.ravel()]
    return np.array(decoded, dtype=object).reshape(array.shape).tolist()
