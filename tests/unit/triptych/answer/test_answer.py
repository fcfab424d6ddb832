"""The fusion step as the server runs it: from the tensors of every model to those of the answer."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest

from samples.fusion import HAPPY, SAD, towards, trained
from triptych.answer.answer import Manifest, answer
from triptych.answer.parameters import Calibration
from triptych.errors import TriptychError
from triptych_client import contract, decode

LABELS = ("Speech", "Giggle", "Silence")
MODELS = (("face", "fer-cnn", "0" * 64, "MIT"),)
MANIFEST = Manifest(MODELS, frozenset(), LABELS, parameters=trained())
STATUS = {"ok": ["ok", ""], "silent": ["absent", "the audio track is silent"], "none": ["absent", "no audio"]}


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
        "VIDEO_STATUS": strings(STATUS["ok"]),
        "AUDIO_STATUS": strings(STATUS["ok"]),
        "FRAME_TIMES": moments,
        "FACE_TIMES": moments,
        "FACE_TRACKS": np.zeros(len(moments), np.int32),
        "FACE_BOXES": np.array([[10, 10, 90, 110]] * len(moments), np.float32),
        "FACE_SCORES": np.ones(len(moments), np.float32),
        "FACE_COUNT": np.array([len(moments)], np.int32),
        "FACE_LOGITS": np.array([towards(SAD)] * len(moments), np.float32),
        "SOUND_SPANS": spans,
        "TAGS": np.array([[0.9, 0.2, 0.0]] * len(spans), np.float32),
        "SOUND_LOGITS": np.zeros((len(spans), 7), np.float32),
        "VOICE_SPANS": spans,
        "VOICE_LOGITS": np.array([towards(SAD)] * len(spans), np.float32),
        "UTTERANCES": strings([["He left me.", "He is laughing.", ""]]),
        "UTTERANCE_SPANS": np.array([[[0.5, 3.0], [2.0, 4.0], [np.nan, np.nan]]], np.float32),
        "UTTERANCE_LOGPROBS": np.array([[-0.1, -0.2, np.nan]], np.float32),
        "LANGUAGES": strings([["en"]]),
        "WORDS_LOGITS": np.array([towards(SAD), towards(HAPPY, 1)], np.float32),
        **changes,
    }


MUTE = {
    "AUDIO_STATUS": strings(STATUS["silent"]),
    "UTTERANCES": strings([[""]]),
    "UTTERANCE_SPANS": np.full((1, 1, 2), np.nan, np.float32),
    "UTTERANCE_LOGPROBS": np.full((1, 1), np.nan, np.float32),
    "LANGUAGES": strings([[""]]),
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
    return decode.analysis({"CLIP": inputs()["CLIP"], **typed}, None, "2.51.0")


def reasons(outputs: dict[str, np.ndarray]) -> dict[str, str]:
    rows = zip(contract.CHANNELS, outputs["CHANNEL_STATUS"])
    return {name: reason.decode() for name, (state, reason) in rows if state != b"ok"}


def test_every_channel_answers():
    answered = decoded(answer(inputs(), MANIFEST))
    assert answered.emotion.label == "sadness"
    assert all(channel.status == "ok" for channel in answered.channels.values())
    assert answered.emotion.track == 0
    assert answered.emotion.track_reason == "only"
    assert answered.people[0].timeline[0] is not None
    assert [said.language for said in answered.transcript.utterances] == ["en", "en"]
    assert all(said.expressed for said in answered.transcript.utterances)


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


def test_no_channel_at_all_is_a_uniform_answer_that_abstains():
    outputs = answer(inputs(**MUTE, **FACELESS), MANIFEST)
    answered = decoded(outputs)
    assert outputs["PROBABILITIES"] == pytest.approx([1 / 7] * 7)
    assert answered.emotion.abstained
    assert answered.people == ()
    assert answered.emotion.track is None
    assert answered.rationale == "No channel gave evidence."
    assert reasons(outputs) == {
        "face": "no face found in 20 sampled frames",
        **dict.fromkeys(("sound", "voice", "words"), "the audio track is silent"),
    }


def test_speech_is_what_voice_and_words_need():
    changes = {name: array for name, array in MUTE.items() if name != "AUDIO_STATUS"}
    assert reasons(answer(inputs(**changes), MANIFEST)) == dict.fromkeys(("voice", "words"), "no speech detected")


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
    english = Manifest(MODELS, frozenset(), LABELS, frozenset({"en"}), trained())
    assert decoded(answer(two_languages(), english)).channels["words"].probabilities["happiness"] < 0.5
    russian = Manifest(MODELS, frozenset(), LABELS, frozenset({"ru"}), trained())
    assert reasons(answer(two_languages(), russian)) == {
        "words": "speech in an unsupported language for the words model: de, en"
    }
    assert reasons(answer(two_languages(), english, translated=True)) == {}


def test_a_channel_without_a_model_says_so():
    vacant = Manifest(MODELS, frozenset({"voice"}), LABELS)
    assert reasons(answer(inputs(), vacant)) == {"voice": "no model exported"}


def test_a_calibration_is_for_one_channel():
    sure = Manifest(MODELS, frozenset(), LABELS, calibrations={"words": Calibration(np.full(7, 5.0), np.zeros(7))})
    plain, louder = (answer(inputs(), manifest) for manifest in (Manifest(MODELS, frozenset(), LABELS), sure))
    assert louder["TEXT_PROBABILITIES"].max() > plain["TEXT_PROBABILITIES"].max()
    assert louder["CHANNEL_PROBABILITIES"][:3].tolist() == plain["CHANNEL_PROBABILITIES"][:3].tolist()


def manifest_folder(folder: Path, name: str) -> Path:
    line = {"step": "expression", "role": "face", "name": name, "sha256": "", "licence": "MIT", "vacant": False}
    words = {**line, "step": "text_emotion", "role": "words", "name": "bert", "languages": ["en"]}
    (folder / "models.json").write_text(json.dumps([line, words]))
    (folder / "labels.txt").write_text("\n".join(LABELS))
    return folder


def test_the_manifest_is_read_with_its_numbers(tmp_path: Path):
    folder = manifest_folder(tmp_path, "fer-cnn")
    assert Manifest.read(folder).parameters.pooled
    trained().write(folder / "fusion.json", {})
    Calibration(np.full(7, 2.0), np.zeros(7)).write(folder / "calibration" / "face.json", "fer-cnn", "", {})
    manifest = Manifest.read(folder)
    assert not manifest.parameters.pooled
    assert manifest.calibrations["face"].scale.tolist() == [2.0] * 7
    assert manifest.languages == {"en"}


def test_a_calibration_of_another_model_is_refused(tmp_path: Path):
    folder = manifest_folder(tmp_path, "swinv2")
    Calibration().write(folder / "calibration" / "face.json", "fer-cnn", "", {})
    with pytest.raises(TriptychError, match="fer-cnn, not swinv2"):
        Manifest.read(folder)
