"""The fusion step as the server runs it: from the tensors of every model to those of the answer."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import numpy as np
import pytest

from samples.fusion import HAPPY, POOL, SAD, towards, trained
from triptych.answer.answer import answer
from triptych.answer.manifest import Manifest
from triptych.answer.parameters import Calibration
from triptych.answer.reliability import Reliability
from triptych.answer.status import OK, Status
from triptych_client import contract, decode

LABELS = ("Speech", "Giggle", "Silence")
MODELS = (("face", "fer-cnn", "0" * 64, "MIT"),)
CALIBRATIONS = dict.fromkeys(contract.CHANNELS, Calibration())
MANIFEST = Manifest(MODELS, frozenset(), LABELS, trained(), calibrations=CALIBRATIONS)


def strings(values: object) -> np.ndarray:
    array = np.array(values, dtype=object)
    return np.array([str(cell).encode() for cell in array.ravel()], dtype=object).reshape(array.shape)


def inputs(seconds: float = 10.0, **changes: np.ndarray) -> dict[str, np.ndarray]:
    """Return the inputs of the step for a clip with one sad face, and two sad sentences that overlap."""
    moments = np.arange(0, max(seconds, 0.04), 0.5, dtype=np.float32)
    starts = np.arange(0, max(seconds - 1, 0.5), 1.5, dtype=np.float32)
    spans = np.stack([starts, np.minimum(starts + 3, seconds)], axis=1).astype(np.float32)
    return {
        "CLIP": np.array([seconds, 640, 360, 25, 1, 1], np.float32),
        "VIDEO_STATUS": OK.tensor(),
        "AUDIO_STATUS": OK.tensor(),
        "FRAME_TIMES": moments,
        "FACE_TIMES": moments,
        "FACE_TRACKS": np.zeros(len(moments), np.int32),
        "FACE_BOXES": np.array([[10, 10, 90, 110]] * len(moments), np.float32),
        "FACE_SCORES": np.ones(len(moments), np.float32),
        "FACE_COUNT": np.array([len(moments)], np.int32),
        "FACES_FOUND": np.array([len(moments)], np.int32),
        "FACE_STANDS_FOR": np.ones(len(moments), np.int32),
        "FACE_MOUTHS": np.full(len(moments), np.nan, np.float32),
        "FACE_VISIBLE": np.ones(len(moments), np.float32),
        "FACE_LOGITS": np.array([towards(SAD)] * len(moments), np.float32),
        "SOUND_SPANS": spans,
        "TAGS": np.array([[0.9, 0.2, 0.0]] * len(spans), np.float32),
        "SOUND_LOGITS": np.zeros((len(spans), 7), np.float32),
        "SPEECH_SPANS": np.array([[0.6, 3.9]], np.float32),
        "VOICE_SPANS": spans,
        "VOICE_LOGITS": np.array([towards(SAD)] * len(spans), np.float32),
        "UTTERANCES": strings([["He left me.", "He is laughing.", ""]]),
        "UTTERANCE_SPANS": np.array([[[0.5, 3.0], [2.0, 4.0], [np.nan, np.nan]]], np.float32),
        "UTTERANCE_LOGPROBS": np.array([[-0.1, -0.2, np.nan]], np.float32),
        "LANGUAGES": strings([["en", "en", ""]]),
        "LANGUAGE_PROBS": np.array([[0.9, 0.4, np.nan]], np.float32),
        "WORDS_LOGITS": np.array([towards(SAD), towards(HAPPY, 1)], np.float32),
        **changes,
    }


MUTE = {
    "AUDIO_STATUS": Status("absent", "silent").tensor(),
    "SPEECH_SPANS": np.zeros((0, 2), np.float32),
    "UTTERANCES": strings([[""]]),
    "UTTERANCE_SPANS": np.full((1, 1, 2), np.nan, np.float32),
    "UTTERANCE_LOGPROBS": np.full((1, 1), np.nan, np.float32),
    "LANGUAGES": strings([[""]]),
    "LANGUAGE_PROBS": np.full((1, 1), np.nan, np.float32),
    "WORDS_LOGITS": np.zeros((1, 7), np.float32),
}
FACELESS = {"FACE_COUNT": np.array([0], np.int32)}


def decoded(outputs: dict[str, np.ndarray]) -> decode.Analysis:
    step = contract.STEPS["fusion"]
    assert set(outputs) == {tensor.name for tensor in step.outputs}
    for tensor in step.outputs:
        found = outputs[tensor.name].shape
        assert len(found) == len(tensor.dims), tensor.name
        assert all(want in (-1, have) for want, have in zip(tensor.dims, found)), tensor.name
    typed = {name: array if array.dtype == object else array.astype(np.float32) for name, array in outputs.items()}
    assert np.isnan(outputs["EVIDENCE"]).all(axis=1).tolist() == (outputs["CHANNEL_STATUS"][:, 0] != b"ok").tolist()
    typed |= {name: outputs[name].astype(np.int32) for name in ("FACE_TRACKS", "MAIN_TRACK")}
    beside = {"CLIP": inputs()["CLIP"], "AUDIO_TRACKS": strings([[""] * len(contract.AUDIO_TRACK_FIELDS)])}
    return decode.analysis({**beside, **typed}, None, "2.51.0")


def statuses(outputs: dict[str, np.ndarray]) -> dict[str, Status]:
    """Return the status of each channel that is not simply ok."""
    found = {name: Status.read(row) for name, row in zip(contract.CHANNELS, outputs["CHANNEL_STATUS"])}
    return {name: status for name, status in found.items() if status != OK}


def test_every_channel_answers():
    answered = decoded(answer(inputs(), MANIFEST))
    assert answered.emotion.label == "sadness"
    assert all(channel.status == "ok" for channel in answered.channels.values())
    assert answered.emotion.track == 0
    assert answered.emotion.track_reason == "only"
    assert answered.people[0].timeline[0] is not None
    assert [said.language for said in answered.transcript.utterances] == ["en", "en"]
    assert [said.language_is_sure for said in answered.transcript.utterances] == [True, False]
    assert all(said.expressed for said in answered.transcript.utterances)


def test_it_says_how_often_answers_as_sure_were_right_where_every_channel_answers():
    measured = Reliability(np.array([[0.0, 0.3, 0.2, 30], [0.3, 1.0, 0.75, 40]]), "some clips")
    manifest = replace(MANIFEST, reliability=measured)
    told = decoded(answer(inputs(), manifest)).emotion.reliability
    assert told is not None
    assert (told.right, told.clips, told.on) == (0.75, 40, "some clips")
    assert decoded(answer(inputs(**MUTE), manifest)).emotion.reliability is None
    assert decoded(answer(inputs(), MANIFEST)).emotion.reliability is None


def test_tags_have_a_probability_in_each_window():
    answered = decoded(answer(inputs(seconds=6.0), MANIFEST))
    assert [tag.label for tag in answered.audio_tags] == ["Speech", "Giggle"]
    assert answered.audio_tags[0].timeline == pytest.approx((0.9,) * len(answered.timeline))


def lost(*channels: str) -> dict[str, Status]:
    return dict.fromkeys(channels, Status("failed", "step_failed"))


NO_NUMBERS = np.full((2, 7), np.nan, np.float32)
FAILED_STEPS = {
    "faces could not be cut out": ({"FACE_COUNT": np.array([-1], np.int32)}, lost("face")),
    "speech could not be recognised": (
        {**MUTE, "AUDIO_STATUS": OK.tensor(), "LANGUAGES": strings([[contract.UNKNOWN_LANGUAGE]])},
        lost("voice", "words"),
    ),
    "speech could not be detected": (
        {**MUTE, "AUDIO_STATUS": OK.tensor(), "SPEECH_SPANS": np.full((1, 2), np.nan, np.float32)},
        lost("voice", "words"),
    ),
    "utterances could not be told apart": (
        {"WORDS_LOGITS": NO_NUMBERS[:1]},
        {"words": Status("failed", "not_finite")},
    ),
    "there is no picture either": (
        {"FACE_COUNT": np.array([-1], np.int32), "VIDEO_STATUS": Status("absent", "no_video_track").tensor()},
        {"face": Status("absent", "no_video_track")},
    ),
}


@pytest.mark.parametrize(("changes", "expected"), FAILED_STEPS.values(), ids=FAILED_STEPS)
def test_a_step_that_failed_is_its_channel_s_status_and_the_others_answer(changes: dict, expected: dict):
    outputs = answer(inputs(**changes), MANIFEST)
    assert statuses(outputs) == expected
    decoded(outputs)


class Recorded(dict[str, np.ndarray]):
    """The step's inputs, and which of them were read."""

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        super().__init__(arrays)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> np.ndarray:
        self.read.add(name)
        return super().__getitem__(name)


def test_every_input_of_the_step_is_read():
    recorded = Recorded(inputs())
    answer(recorded, MANIFEST)
    assert recorded.read == {tensor.name for tensor in contract.STEPS["fusion"].inputs} == set(recorded)


def test_words_begin_with_detected_speech_and_nobody_speaks_before():
    """Twelve seconds of lead-in, in which somebody else is seen: the recogniser has words from the first moment on."""
    faces = {
        "FACE_TRACKS": np.repeat([0, 1], [24, 16]).astype(np.int32),
        "FACE_BOXES": np.array([[10, 10, 200, 200]] * 24 + [[10, 10, 90, 90]] * 16, np.float32),
    }
    said = {
        "UTTERANCES": strings([["And so my fellow Americans"]]),
        "UTTERANCE_SPANS": np.array([[[0.0, 19.0]]], np.float32),
        "UTTERANCE_LOGPROBS": np.array([[-0.1]], np.float32),
        "LANGUAGES": strings([["en"]]),
        "LANGUAGE_PROBS": np.array([[0.9]], np.float32),
        "SPEECH_SPANS": np.array([[12.2, 14.0], [15.0, 18.5]], np.float32),
        "WORDS_LOGITS": np.array([towards(HAPPY)], np.float32),
    }
    outputs = answer(inputs(20.0, **faces, **said), MANIFEST)
    answered = decoded(outputs)
    assert answered.transcript.utterances[0].start_s == pytest.approx(12.2)
    assert answered.transcript.utterances[0].end_s == pytest.approx(18.5)
    assert (answered.emotion.track, answered.emotion.track_reason) == (1, "speech")
    assert [person.speech_s for person in answered.people] == pytest.approx([0, 5.3], abs=0.3)


def test_a_voice_is_evidence_where_it_speaks_only():
    starts = np.arange(0, 9, 1.5)
    spans = np.stack([starts, starts + 1.5], axis=1).astype(np.float32)
    logits = np.array([towards(SAD), *[towards(HAPPY)] * 5], np.float32)
    changes = {"VOICE_SPANS": spans, "VOICE_LOGITS": logits, "SPEECH_SPANS": np.array([[0.1, 1.4]], np.float32)}
    changes["UTTERANCE_SPANS"] = np.array([[[0.0, 9.0], [np.nan, np.nan], [np.nan, np.nan]]], np.float32)
    changes["UTTERANCES"] = strings([["He left me.", "", ""]])
    voice = decoded(answer(inputs(**changes), MANIFEST)).channels["voice"]
    assert voice.probabilities is not None
    assert max(voice.probabilities, key=voice.probabilities.__getitem__) == "sadness"


def test_no_channel_at_all_is_a_uniform_answer_that_abstains():
    outputs = answer(inputs(**MUTE, **FACELESS), MANIFEST)
    answered = decoded(outputs)
    assert outputs["PROBABILITIES"] == pytest.approx([1 / 7] * 7)
    assert answered.emotion.abstained
    assert answered.people == ()
    assert answered.emotion.track is None
    assert answered.rationale == "No channel gave evidence."
    assert statuses(outputs) == {
        "face": Status("absent", "no_face", "20"),
        **dict.fromkeys(("sound", "voice", "words"), Status("absent", "silent")),
    }


def test_speech_is_what_voice_and_words_need():
    changes = {name: array for name, array in MUTE.items() if name != "AUDIO_STATUS"}
    found = statuses(answer(inputs(**changes), MANIFEST))
    assert found == dict.fromkeys(("voice", "words"), Status("absent", "no_speech"))


@pytest.mark.parametrize("number", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["FACE", "SOUND", "VOICE", "WORDS"])
def test_a_channel_with_broken_numbers_failed_and_the_rest_answer(name: str, number: float, caplog):
    broken = np.full_like(inputs()[f"{name}_LOGITS"], number)
    with caplog.at_level(logging.WARNING):
        outputs = answer(inputs(**{f"{name}_LOGITS": broken}), MANIFEST)
    answered = decoded(outputs)
    assert answered.channels[name.lower()].status == "failed"
    assert f"{name.lower()}: " in caplog.text
    assert "rows have logits that are not finite" in caplog.text
    assert answered.emotion.label == "sadness"
    assert sum(channel.weight for channel in answered.channels.values()) == pytest.approx(1)
    json.loads(answered.to_json())


@pytest.mark.parametrize("seconds", [0.0, 0.04, 60.0])
def test_one_frame_and_a_minute(seconds: float):
    answered = decoded(answer(inputs(seconds), MANIFEST))
    assert answered.emotion.label == "sadness"
    assert len(answered.timeline) == max(1, round(seconds) - 1)
    assert answered.timeline[0].probabilities is not None


def two_languages() -> dict[str, np.ndarray]:
    return inputs(
        UTTERANCES=strings([["He left me."], ["Er lacht noch dazu."]]),
        UTTERANCE_SPANS=np.array([[[0.5, 3.0]], [[5.0, 9.0]]], np.float32),
        UTTERANCE_LOGPROBS=np.array([[-0.1], [-0.2]], np.float32),
        LANGUAGES=strings([["en"], ["de"]]),
        WORDS_LOGITS=np.array([towards(SAD), towards(HAPPY, 9)], np.float32),
    )


def test_two_languages_in_a_clip():
    answered = decoded(answer(two_languages(), MANIFEST))
    assert answered.transcript.language == "de", "that of most of the speech"
    assert [said.language for said in answered.transcript.utterances] == ["en", "de"]
    assert answered.channels["words"].probabilities["happiness"] > 0.5


def test_words_that_the_model_does_not_know_do_not_count():
    english = replace(MANIFEST, languages=frozenset({"en"}))
    assert decoded(answer(two_languages(), english)).channels["words"].probabilities["happiness"] < 0.5
    russian = replace(MANIFEST, languages=frozenset({"ru"}))
    assert statuses(answer(two_languages(), russian)) == {"words": Status("absent", "unsupported_language", "de, en")}
    assert statuses(answer(two_languages(), english, translated=True)) == {}


def test_a_channel_without_a_model_says_so():
    vacant = replace(MANIFEST, vacant=frozenset({"voice"}))
    assert statuses(answer(inputs(), vacant)) == {"voice": Status("absent", "no_model")}


def test_a_channel_whose_model_is_not_calibrated_is_used_and_says_so():
    published = replace(MANIFEST, calibrations={name: Calibration() for name in ("face", "sound", "voice")})
    outputs = answer(inputs(), published)
    assert statuses(outputs) == {"words": Status("ok", "uncalibrated")}
    words = decoded(outputs).channels["words"]
    assert (words.status, words.reason) == ("ok", "its model is not calibrated")
    assert words.probabilities == decoded(answer(inputs(), MANIFEST)).channels["words"].probabilities
    assert statuses(answer(inputs(**MUTE), published))["words"] == Status("absent", "silent"), "nothing was taken"


def test_a_calibration_is_for_one_channel():
    sure = replace(MANIFEST, calibrations={**CALIBRATIONS, "words": Calibration(np.full(7, 5.0), np.zeros(7))})
    plain, louder = (answer(inputs(), replace(manifest, parameters=POOL)) for manifest in (MANIFEST, sure))
    assert louder["TEXT_PROBABILITIES"].max() > plain["TEXT_PROBABILITIES"].max()
    assert louder["CHANNEL_PROBABILITIES"][:3].tolist() == plain["CHANNEL_PROBABILITIES"][:3].tolist()


def test_the_answer_says_how_many_faces_were_left_out():
    found = answer(inputs(FACES_FOUND=np.array([500], np.int32)), MANIFEST)
    assert Status.read(found["CHANNEL_STATUS"][0]) == Status("ok", "faces_left_out", "480")
    nobody = answer(inputs(**FACELESS, FACES_FOUND=np.array([0], np.int32)), MANIFEST)
    assert Status.read(nobody["CHANNEL_STATUS"][0]).reason == "no_face"


def test_a_face_that_is_hidden_makes_nothing_sure():
    times = inputs()["FACE_TIMES"]
    half = np.where(times < 5, 1.0, 0.1).astype(np.float32)
    shown, hidden, hidden_later = (
        answer(inputs(**MUTE, FACE_VISIBLE=visible), MANIFEST)
        for visible in (np.ones(len(times), np.float32), np.full(len(times), 0.1, np.float32), half)
    )
    assert hidden["FACE_PROBABILITIES"].max() < shown["FACE_PROBABILITIES"].max() - 0.2
    assert hidden["CHANNEL_PROBABILITIES"][0].max() < shown["CHANNEL_PROBABILITIES"][0].max() - 0.2
    assert hidden_later["CHANNEL_PROBABILITIES"][0].argmax() == SAD, "what was seen before counts"


@pytest.mark.parametrize(
    ("first_s", "last_s", "said"),
    [(0.25, 9.75, ""), (0.9, 9.0, ""), (6.0, 9.5, "5.8-9.8"), (0.25, 4.75, "0.0-5.0"), (3.0, 3.0, "3.0-3.0")],
)
def test_the_answer_says_from_when_to_when_the_picture_was_seen(first_s: float, last_s: float, said: str):
    times = np.arange(first_s, last_s + 0.01, 0.5, dtype=np.float32)
    seen = {name: inputs()[name][: len(times)] for name in inputs() if name.startswith("FACE_")}
    seen |= {"FRAME_TIMES": times, "FACE_TIMES": times, "FACE_COUNT": np.array([len(times)], np.int32)}
    found = answer(inputs(**seen, FACES_FOUND=np.array([len(times)], np.int32)), MANIFEST)
    status = Status.read(found["CHANNEL_STATUS"][0])
    assert (status.state, status.value) == ("ok", said)
    assert status.reason == ("seen_in_part" if said else "")
