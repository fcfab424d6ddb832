"""The JSON Schema (draft 2020-12) of the answer, for whoever checks it or generates code from it."""

from __future__ import annotations

from inspect import cleandoc
from typing import Any

import msgspec

from triptych_client.contract import SCHEMA
from triptych_client.results import Analysis


def load() -> dict[str, Any]:
    """Return the schema of what `Analysis.to_json` writes, made from `results`; any validator of that draft takes it.

    What was added to triptych/1 later is not required: older answers lack it.
    """
    definitions = msgspec.json.schema(Analysis, schema_hook=lambda kind: {"type": "array"})["$defs"]
    for definition in definitions.values():
        definition["description"] = cleandoc(definition["description"])
        definition["additionalProperties"] = False
    answer = definitions.pop("Analysis")
    del answer["properties"]["embeddings"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:triptych:answer:1",
        **answer,
        "required": ["schema", *answer["required"]],
        "properties": {"schema": {"const": SCHEMA}, **answer["properties"]},
        "$defs": definitions,
    }
