"""Configs as text: read back by protobuf they are what was written, whatever they say."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format, text_format
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.grpc import model_config_pb2

from triptych.serving import pbtxt

CONFIG: dict[str, Any] = {
    "name": "faces",
    "platform": "tensorrt_plan",
    "max_batch_size": 8,
    "input": [{"name": "A", "data_type": "TYPE_FP32", "dims": [-1, 2]}, {"name": "B", "data_type": "TYPE_STRING"}],
    "output": [{"name": "C", "data_type": "TYPE_BOOL", "dims": [], "label_filename": "labels.txt"}],
    "instance_group": [{"kind": "KIND_GPU", "count": 2, "gpus": [0, 1]}],
    "dynamic_batching": {
        "preferred_batch_size": [4, 8],
        "default_queue_policy": {"timeout_action": "REJECT", "max_queue_size": 3},
        "priority_queue_policy": {"1": {"max_queue_size": 4}},
        "preserve_ordering": True,
    },
    "optimization": {"cuda": {"graphs": False}},
    "parameters": {"threads": {"string_value": "2"}},
    "model_warmup": [{"name": "w", "batch_size": 1, "inputs": {"A": {"data_type": "TYPE_FP32", "random_data": True}}}],
}


def read(text: str) -> model_config_pb2.ModelConfig:
    return text_format.Parse(text, model_config_pb2.ModelConfig())


def numbered(config: dict[str, Any]) -> dict[str, Any]:
    """Return the config with the keys of its one map of numbers as text_format wants them."""
    batching = config["dynamic_batching"]
    queues = {int(key): value for key, value in batching["priority_queue_policy"].items()}
    return {**config, "dynamic_batching": {**batching, "priority_queue_policy": queues}}


def test_it_is_read_back_as_it_was_said():
    wanted = json_format.ParseDict(CONFIG, model_config_pb2.ModelConfig())
    assert read("\n".join(pbtxt.lines(numbered(CONFIG)))) == wanted


def test_it_is_laid_out_to_be_read():
    small = {"input": CONFIG["input"], "dynamic_batching": {"default_queue_policy": {"max_queue_size": 3}}}
    assert pbtxt.lines(small | {"parameters": CONFIG["parameters"], "optimization": {"priority": 1, "cuda": {}}}) == [
        "input [",
        '  { name: "A" data_type: TYPE_FP32 dims: [ -1, 2 ] },',
        '  { name: "B" data_type: TYPE_STRING }',
        "]",
        "dynamic_batching { default_queue_policy { max_queue_size: 3 } }",
        'parameters { key: "threads" value { string_value: "2" } }',
        "optimization {",
        "  priority: 1",
        "  cuda { }",
        "}",
    ]


@given(st.text(st.characters(codec="utf-8")))
def test_any_text_is_read_back(text: str):
    config = {"name": text, "parameters": {text: {"string_value": text}}}
    found = read("\n".join(pbtxt.lines(config)))
    assert found.name == text
    assert found.parameters[text].string_value == text


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"instances": 2}, r"Triton's ModelConfig has no field instances; it has name, platform,"),
        ({"dynamic_batching": {"delay": 2, "b": 1}}, r"Triton's ModelDynamicBatching has no field delay; it has"),
        ({"dynamic_batching": 2}, r"2 stands where Triton has a ModelDynamicBatching"),
        ({"instance_group": ["KIND_CPU"]}, r'"KIND_CPU" stands where Triton has a ModelInstanceGroup'),
        ({"parameters": ["threads"]}, r'\["threads"\] stands where Triton has a map, parameters'),
    ],
)
def test_what_triton_does_not_know_is_named(config: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        pbtxt.lines(config)


def test_a_comment_keeps_its_lines_and_is_wrapped_where_they_are_too_long():
    assert pbtxt.comment("One.\n  trtexec --onnx=a\n\nTwo.") == ["# One.", "#   trtexec --onnx=a", "#", "# Two."]
    wrapped = pbtxt.comment("word " * 60)
    assert len(wrapped) == 3
    assert max(map(len, wrapped)) <= pbtxt.WIDTH
    assert " ".join(line.removeprefix("# ") for line in wrapped).split() == ["word"] * 60
