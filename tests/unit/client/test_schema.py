"""The JSON Schema: true to the contract, and strict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, fields
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


def test_schema_has_the_names_of_the_contract():
    definitions = SCHEMA["$defs"]
    assert SCHEMA["properties"]["schema"]["const"] == contract.SCHEMA
    assert definitions["label"]["enum"] == list(contract.EMOTIONS)
    assert list(definitions["probabilities"]["properties"]) == list(contract.EMOTIONS)
    assert list(definitions["contribution"]["properties"]) == list(contract.EMOTIONS)
    assert definitions["channel"]["properties"]["status"]["enum"] == list(contract.STATES)
    assert list(SCHEMA["properties"]["channels"]["properties"]) == list(contract.CHANNELS)
    assert list(definitions["window"]["properties"]["channels"]["properties"]) == list(contract.CHANNELS)


@pytest.mark.parametrize(
    ("kind", "definition"),
    [
        (results.Clip, "clip"),
        (results.Emotion, "emotion"),
        (results.Channel, "channel"),
        (results.Transcript, "transcript"),
        (results.Face, "face"),
        (results.Person, "person"),
        (results.TimelineWindow, "window"),
    ],
)
def test_schema_has_the_fields_of_the_results(kind: type[Any], definition: str):
    assert list(SCHEMA["$defs"][definition]["properties"]) == [field.name for field in fields(kind)]
    first = [field.name for field in fields(kind) if field.default is MISSING]
    assert SCHEMA["$defs"][definition]["required"] == first, "what was added later is not in every answer of triptych/1"


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
    ],
)
def test_schema_is_strict(spoil: Callable[[Answer], None]):
    answer = samples.analysis().to_dict()
    spoil(answer)
    assert not VALIDATOR.is_valid(answer)
