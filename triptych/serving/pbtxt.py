"""Triton's model configs as text that is made to be read.

protobuf's own `text_format` writes no comments, and each number of a list on a line of its own.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from tritonclient.grpc import model_config_pb2

MODEL_CONFIG: Descriptor = model_config_pb2.DESCRIPTOR.message_types_by_name["ModelConfig"]
"""Triton's schema of a config; it says what is a name, what a text and what a map."""
ENSEMBLE: Descriptor = model_config_pb2.DESCRIPTOR.message_types_by_name["ModelEnsembling"]
"""Triton's schema of what an ensemble runs."""

WIDTH = 120


def lines(fields: Mapping[str, Any], message: Descriptor = MODEL_CONFIG) -> list[str]:
    """Return the lines of a message, field by field in their order: nested dicts are messages or maps.

    ValueError for a field that Triton does not know, and for a value where it has a message.
    """
    return [line for name, value in fields.items() for line in _field(_descriptor(message, name), value)]


def comment(text: str) -> list[str]:
    """Return the lines of a comment: a line of `text` stays one, and is wrapped where it is too long."""
    wrapped = (textwrap.wrap(line, WIDTH - 2, break_on_hyphens=False) or [""] for line in text.strip().split("\n"))
    return [f"# {line}".rstrip() for paragraph in wrapped for line in paragraph]


def block(opening: str, inside: Sequence[str]) -> list[str]:
    """Return lines in braces, indented; empty lines stay empty."""
    return [f"{opening} {{", *(f"  {line}".rstrip() for line in inside), "}"]


def _field(field: FieldDescriptor, value: Any) -> list[str]:
    """Return a field on one line; a message of several fields as a block, several messages and a map a line each."""
    message = field.message_type
    if message is not None and _is_map(message):
        return [f"{field.name} {_inline(message, entry)}" for entry in _entries(field, value)]
    if message is not None and isinstance(value, list) and len(value) > 1:
        rows = [f"  {_inline(message, item)}," for item in value]
        return [f"{field.name} [", *rows[:-1], rows[-1].removesuffix(","), "]"]
    if message is not None and isinstance(value, Mapping) and len(value) > 1:
        return block(field.name, lines(value, message))
    return [_on_one_line(field, value)]


def _on_one_line(field: FieldDescriptor, value: Any) -> str:
    message = field.message_type
    if message is None:
        return f"{field.name}: {_scalar(field, value)}"
    if _is_map(message):
        return " ".join(f"{field.name} {_inline(message, entry)}" for entry in _entries(field, value))
    if isinstance(value, list):
        return f"{field.name} [ {', '.join(_inline(message, item) for item in value)} ]"
    return f"{field.name} {_inline(message, value)}"


def _inline(message: Descriptor, fields: Any) -> str:
    if not isinstance(fields, Mapping):
        raise ValueError(f"{json.dumps(fields)} stands where Triton has a {message.name}")
    inside = [_on_one_line(_descriptor(message, name), value) for name, value in fields.items()]
    return " ".join(["{", *inside, "}"])


def _scalar(field: FieldDescriptor, value: Any) -> str:
    """Return a number, text, truth value or name of the schema's (an enum's), or a list of them."""
    if isinstance(value, list):
        return f"[ {', '.join(_scalar(field, item) for item in value)} ]"
    return value if field.enum_type is not None and isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _descriptor(message: Descriptor, name: str) -> FieldDescriptor:
    if name not in message.fields_by_name:
        raise ValueError(f"Triton's {message.name} has no field {name}; it has {', '.join(message.fields_by_name)}")
    return message.fields_by_name[name]


def _is_map(message: Descriptor) -> bool:
    return message.GetOptions().map_entry


def _entries(field: FieldDescriptor, value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{json.dumps(value)} stands where Triton has a map, {field.name}")
    return [{"key": key, "value": entry} for key, entry in value.items()]
