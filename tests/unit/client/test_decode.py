"""From tensors to the typed answer and its JSON."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError
from typing import Any

import hypothesis.strategies as st
import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays

from samples import client as samples
from triptych_client import Analysis, contract, decode, schema
from triptych_client.results import Reliability

VALIDATOR = jsonschema.Draft202012Validator(schema.load())


def test_answer_has_what_the_tensors_say():
    answer = samples.analysis()
    assert answer.clip.path == "clips/demo.mp4"
    assert (answer.clip.width, answer.clip.height, answer.clip.frame_rate) == (1280, 720, 25.0)
    assert answer.emotion.label == "sadness"
    assert answer.emotion.top3 == (("sadness", 0.341), ("neutral", 0.215), ("happiness", 0.148))
    assert answer.emotion.conflict
    assert not answer.emotion.abstained
    assert answer.channels["face"].weight == 0.5
    assert answer.transcript.language == "ru"
    assert answer.transcript.text == "Ну что, звоним в скорую? Он меня бросил [и] ещё <смеётся> & молчит."
    assert answer.transcript.utterances[1].start_s == 4.1
    assert [tag.label for tag in answer.audio_tags] == ["Speech", "Giggle", "Rattle"]
    assert [
        (track.index, track.title, track.language, track.channels, track.heard) for track in answer.audio_tracks
    ] == [
        (1, "", "eng", 6, None),
        (2, "Рассказ", "", 2, "all"),
    ]
    assert answer.audio_tags[1].timeline == (0.1, 0.2, 0.3, 0.31, None)
    assert answer.emotion.reliability == Reliability(0.25, 0.5, 0.625, 24, "ravdess-126")
    assert answer.faces[0].box == (512.5, 100.0, 700.0, 330.25)
    assert answer.timeline[3].probabilities is None
    assert (answer.emotion.track, answer.emotion.track_reason) == (0, "only")
    assert [(person.track, person.start_s, person.end_s, person.speech_s) for person in answer.people] == [
        (0, 0.04, 2.04, 1.5)
    ]
    assert answer.people[0].timeline[3] is None
    assert answer.transcript.utterances[1].language == "ru"
    assert answer.transcript.utterances[1].expressed["anger"] == 0.6
    assert answer.timeline[0].channels["sound"] is None
    assert answer.models["face"].sha256 == samples.SHA256
    assert answer.models["sound"].sha256 is None
    assert answer.server.triton == "2.51.0"
    assert answer.server.triptych == "0.1.0"


def test_channel_that_is_not_ok_has_a_reason_and_no_numbers():
    voice = samples.analysis().channels["voice"]
    assert (voice.status, voice.reason, voice.weight) == ("absent", "no model exported", 0)
    assert (voice.reason_code, voice.reason_value) == ("no_model", "")
    assert voice.probabilities is None
    assert voice.contribution is None


def test_clip_without_any_evidence():
    answer = samples.nothing()
    assert answer.audio_tracks == ()
    assert answer.clip.width is None
    assert answer.faces == ()
    assert answer.audio_tags == ()
    assert answer.transcript.text == ""
    assert answer.transcript.language is None
    assert answer.emotion.abstained
    assert answer.emotion.reliability is None
    assert answer.timeline[0].dimensions is None
    assert {channel.status for channel in answer.channels.values()} == {"absent", "failed"}


def test_words_in_a_language():
    answer = samples.analysis()
    russian = answer.in_language("ru")
    assert answer.rationale.startswith("Sadness")
    assert russian.rationale.startswith("Грусть")
    assert (answer.channels["voice"].reason, russian.channels["voice"].reason) == (
        "no model exported",
        "модель не установлена",
    )
    assert russian.in_language("en") == answer


def test_an_answer_that_was_read_back_knows_both_languages():
    answer = samples.analysis()
    assert Analysis.from_dict(json.loads(answer.to_json())).in_language("ru") == answer.in_language("ru")


def test_numbers_are_the_shortest_decimals_of_float32():
    assert '"sadness": 0.341,' in samples.analysis().to_json()
    assert np.float32(samples.analysis().emotion.confidence) == np.float32(0.341)


def test_shares_stay_within_one():
    over = samples.f32([1.0000001, 0, 0, 0])
    assert samples.analysis(CHANNEL_WEIGHTS=over).channels["face"].weight == 1


def test_utterances_are_joined_as_their_language_is_written():
    def text(language: str, *texts: str) -> str:
        changes = {"LANGUAGE": samples.strings([language]), "TEXTS": samples.strings(list(texts))}
        return samples.analysis(**changes).transcript.text

    assert text("en", " Hello. ", "How are you?") == "Hello. How are you?"
    assert text("zh", "你好。", "再见。") == "你好。再见。"
    assert text("ja", "Hello.", "Goodbye.") == "Hello. Goodbye."


def test_embeddings_are_arrays_and_not_json():
    rows = np.ones((2, 3), np.float32)
    answer = samples.analysis(FACE_EMBEDDINGS=rows)
    assert answer.embeddings["FACE_EMBEDDINGS"] is rows
    assert "embeddings" not in answer.to_dict()


def test_analysis_is_frozen():
    with pytest.raises(FrozenInstanceError):
        samples.analysis().rationale = ""  # type: ignore[misc]


def test_an_answer_written_before_people_were_told_apart_is_read():
    older = samples.analysis().to_dict()
    del older["people"], older["emotion"]["track"], older["emotion"]["track_reason"]
    del older["emotion"]["reliability"], older["emotion"]["dimensions"]
    for tag in older["audio_tags"]:
        del tag["timeline"]
    for said in older["transcript"]["utterances"]:
        del said["language"], said["expressed"], said["language_confidence"]
    VALIDATOR.validate(older)
    read = Analysis.from_dict(older)
    assert read.people == ()
    assert read.emotion.dimensions == samples.analysis().emotion.dimensions, "they are derived, by whoever reads"


def test_an_answer_written_before_reasons_had_codes_keeps_its_words():
    older = samples.analysis().to_dict()
    del older["rationale_parts"]
    for channel in older["channels"].values():
        del channel["reason_code"], channel["reason_value"]
    VALIDATOR.validate(older)
    answer = Analysis.from_dict(older)
    assert answer.rationale_parts is None
    assert answer.in_language("ru") == answer


def test_something_else_is_refused_by_what_is_wrong():
    other = samples.analysis().to_dict()
    other["emotion"]["confidence"] = "high"
    with pytest.raises(ValueError, match=r"\$\.emotion\.confidence"):
        Analysis.from_dict(other)


def test_another_schema_is_refused():
    with pytest.raises(ValueError, match="triptych/2"):
        Analysis.from_dict({**samples.analysis().to_dict(), "schema": "triptych/2"})


shares = st.floats(0, 1, width=32)
seconds = st.floats(0, 60, width=32)
parts = st.tuples(*map(st.sampled_from, (contract.RATIONALE_KINDS, contract.CHANNELS, contract.EMOTIONS))).flatmap(
    lambda part: st.text(max_size=99 * (part[1] in ("sound", "words"))).map(lambda what: (*part, what))
)


def rows(data: st.DataObject, shape: tuple[int, ...], elements: st.SearchStrategy[float], missing: bool) -> np.ndarray:
    """Draw an array; where `missing`, some of its rows are NaN."""
    array = data.draw(arrays(np.float32, shape, elements=elements))
    if missing:
        array[data.draw(arrays(np.bool_, shape[:-1]))] = np.nan
    return array


def some_tensors(data: st.DataObject) -> dict[str, np.ndarray]:
    m, u, t, k, r = (data.draw(st.integers(0, 3)) for _ in range(5))
    ok = data.draw(arrays(np.bool_, 4))
    alone = rows(data, (4, 7), shares, missing=False)
    alone[~ok] = np.nan
    texts = st.lists(st.binary(), min_size=u, max_size=u)
    return samples.tensors(
        CLIP=rows(data, (6,), seconds, missing=False),
        PROBABILITIES=rows(data, (7,), shares, missing=False),
        CHANNEL_PROBABILITIES=alone,
        CHANNEL_WEIGHTS=np.where(ok, rows(data, (4,), shares, missing=False), 0).astype(np.float32),
        CHANNEL_STATUS=samples.strings([["ok", "", ""] if is_ok else ["absent", "no_face", "7"] for is_ok in ok]),
        RATIONALE_PARTS=samples.strings(data.draw(st.lists(parts, min_size=r, max_size=r))).reshape(-1, 4),
        RATIONALE_SPANS=rows(data, (r, 2), seconds, missing=False),
        TIMELINE_SPANS=rows(data, (t, 2), seconds, missing=False),
        TIMELINE_PROBABILITIES=rows(data, (t, 7), shares, missing=True),
        TIMELINE_CHANNELS=rows(data, (t, 4, 7), shares, missing=True),
        TRACK_SPANS=rows(data, (m, 2), seconds, missing=False),
        TRACK_SPEECH=rows(data, (m,), seconds, missing=False),
        TRACK_PROBABILITIES=rows(data, (m, 7), shares, missing=True),
        TRACK_TIMELINES=rows(data, (m, t, 7), shares, missing=True),
        FACE_PROBABILITIES=rows(data, (m, 7), shares, missing=True),
        FACE_TIMES=rows(data, (m,), seconds, missing=False),
        FACE_TRACKS=np.arange(m, dtype=np.int32),
        FACE_BOXES=rows(data, (m, 4), st.floats(-100, 5000, width=32), missing=False),
        FACE_SCORES=rows(data, (m,), shares, missing=False),
        TEXTS=np.array([*data.draw(texts), None], dtype=object)[:-1],
        TEXT_SPANS=rows(data, (u, 2), seconds, missing=False),
        TEXT_LANGUAGES=samples.strings(["ru"] * u),
        TEXT_LANGUAGE_CONFIDENCES=rows(data, (u,), shares, missing=False),
        TEXT_PROBABILITIES=rows(data, (u, 7), shares, missing=True),
        TEXT_EXPRESSED=rows(data, (u, 7), shares, missing=True),
        TEXT_CONFIDENCES=rows(data, (u,), shares | st.just(float("nan")), missing=False),
        TAG_NAMES=samples.strings(["Speech"] * k),
        TAG_SCORES=rows(data, (k,), shares, missing=False),
        TIMELINE_TAGS=rows(data, (t, k), shares, missing=True),
    )


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_answer_is_valid_json_and_comes_back_equal(data: st.DataObject):
    answer = decode.analysis(some_tensors(data), samples.PATH, "2.51.0")
    parsed: dict[str, Any] = json.loads(answer.to_json(), parse_constant=pytest.fail)
    VALIDATOR.validate(parsed)
    assert parsed == answer.to_dict()
    assert Analysis.from_dict(parsed) == answer
    assert list(parsed["emotion"]["probabilities"]) == list(contract.EMOTIONS)
