"""The JSON Schema: what older answers need, and strict."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from samples import client as samples
from triptych_client import contract, results, schema

SCHEMA = schema.load()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

Answer = dict[str, Any]


def test_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def required(definition: dict[str, Any]) -> set[str]:
    return set(definition["required"])


def test_what_was_added_to_triptych_1_later_is_not_required():
    added = {
        None: {"people", "rationale_parts", "audio_tracks", "footage"},
        "Emotion": {"track", "track_reason", "reliability", "dimensions"},
        "Dimensions": {"derived_by"},
        "FootagePart": {"error"},
        "AudioTag": {"timeline"},
        "TimelineWindow": {"dimensions"},
        "Channel": {"reason_code", "reason_value"},
        "Utterance": {"language", "expressed", "language_confidence"},
    }
    for name in (None, *SCHEMA["$defs"]):
        definition = SCHEMA["$defs"][name] if name else SCHEMA
        assert definition["properties"].keys() - required(definition) == added.get(name, set())


def test_schema_says_what_things_mean():
    assert SCHEMA["properties"]["schema"]["const"] == contract.SCHEMA
    assert "speech is heard" in SCHEMA["$defs"]["Person"]["description"]
    assert all("    " not in definition["description"] for definition in SCHEMA["$defs"].values())
    assert "embeddings" not in json.dumps(SCHEMA)


@pytest.mark.parametrize("answer", [samples.analysis(), samples.analysis(path=None), samples.nothing()])
def test_answers_are_valid(answer: results.Analysis):
    VALIDATOR.validate(answer.to_dict())


def add_field(answer: Answer) -> None:
    answer["mood"] = "sad"


def add_field_within(answer: Answer) -> None:
    answer["clip"]["codec"] = "h264"


def leave_out_a_field(answer: Answer) -> None:
    del answer["rationale"]


def leave_out_an_emotion(answer: Answer) -> None:
    del answer["emotion"]["probabilities"]["fear"]


def use_a_percentage(answer: Answer) -> None:
    answer["emotion"]["probabilities"]["fear"] = 34.1


def use_an_unknown_label(answer: Answer) -> None:
    answer["emotion"]["label"] = "joy"


def leave_out_the_third(answer: Answer) -> None:
    answer["emotion"]["top3"].pop()


def give_an_absent_channel_a_weight(answer: Answer) -> None:
    answer["channels"]["voice"]["weight"] = 0.1


def take_the_numbers_of_a_channel(answer: Answer) -> None:
    answer["channels"]["face"]["probabilities"] = None


def shorten_a_hash(answer: Answer) -> None:
    answer["models"]["face"]["sha256"] = "59534287"


def add_a_channel(answer: Answer) -> None:
    answer["channels"]["hands"] = answer["channels"]["face"]


def use_an_unknown_status(answer: Answer) -> None:
    answer["channels"]["face"]["status"] = "tired"


def begin_before_the_clip(answer: Answer) -> None:
    answer["timeline"][0]["start_s"] = -1


def name_a_cause_of_no_kind(answer: Answer) -> None:
    answer["rationale_parts"][0]["kind"] = "perhaps"


def leave_out_a_corner(answer: Answer) -> None:
    answer["faces"][0]["box"].pop()


@pytest.mark.parametrize(
    "spoil",
    [
        add_field,
        add_field_within,
        leave_out_a_field,
        leave_out_an_emotion,
        use_a_percentage,
        use_an_unknown_label,
        leave_out_the_third,
        give_an_absent_channel_a_weight,
        take_the_numbers_of_a_channel,
        shorten_a_hash,
        add_a_channel,
        use_an_unknown_status,
        begin_before_the_clip,
        name_a_cause_of_no_kind,
        leave_out_a_corner,
    ],
)
def test_schema_is_strict(spoil: Callable[[Answer], None]):
    answer = samples.analysis().to_dict()
    spoil(answer)
    assert not VALIDATOR.is_valid(answer)
