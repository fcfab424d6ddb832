"""The rule by which steps are joined to an ensemble, and the mistakes that it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from triptych.errors import TriptychError
from triptych.serving import wiring
from triptych_client import graph
from triptych_client.contract import STEPS, Step, Tensor


def tensor(name: str, *dims: int, dtype: str = "FP32") -> Tensor:
    return Tensor(name, dtype, dims, "of a test")


VIDEO, CLIP = tensor("VIDEO", -1, dtype="UINT8"), tensor("CLIP", 6)
DECODE = Step("decode", "", 0, (VIDEO,), (CLIP, tensor("FRAMES", -1, 8, 8, 3), tensor("TIMES", -1)))
MODEL = Step("model", "", 4, (tensor("FRAMES", 8, 8, 3),), (tensor("LOGITS", 7), tensor("EMBEDDING", -1)))
LAST = Step(
    "last", "", 0, (CLIP, tensor("TIMES", -1), tensor("FACE_LOGITS", -1, 7)), (tensor("LOGITS", 7), tensor("TIMES", -1))
)
WHOLE = Step("whole", "", 0, (VIDEO,), (CLIP, tensor("LOGITS", 7), tensor("TIMES", -1)))
RENAMED = {"model": {"LOGITS": "face_logits"}}


def join(
    *steps: Step, whole: Step = WHOLE, renamed: Mapping[str, Mapping[str, str]] = RENAMED
) -> dict[str, wiring.Node]:
    return {node.step.name: node for node in wiring.join(whole, steps or (DECODE, MODEL, LAST), renamed)}


def test_tensors_meet_by_name_and_the_ensemble_s_own_are_in_capitals():
    joined = join()
    assert list(joined) == ["decode", "model", "last"]
    assert joined["decode"].inputs == {"VIDEO": "VIDEO"}
    assert joined["decode"].outputs == {"CLIP": "CLIP", "FRAMES": "frames", "TIMES": "times"}
    assert joined["model"].inputs == {"FRAMES": "frames"}
    assert joined["last"].inputs == {"CLIP": "CLIP", "TIMES": "times", "FACE_LOGITS": "face_logits"}
    assert joined["last"].outputs == {"LOGITS": "LOGITS", "TIMES": "TIMES"}


def test_an_output_that_nobody_reads_stays_out():
    assert join()["model"].outputs == {"LOGITS": "face_logits"}


def changed(step: Step, name: str, *, dtype: str | None = None, dims: tuple[int, ...] | None = None) -> Step:
    """Return the step with one input of another dtype or shape."""
    inputs = [replace(one, dtype=dtype or one.dtype, dims=dims or one.dims) for one in step.inputs if one.name == name]
    return replace(step, inputs=tuple(inputs[0] if one.name == name else one for one in step.inputs))


def test_an_axis_of_any_length_takes_one_of_a_known_length():
    assert join(DECODE, changed(MODEL, "FRAMES", dims=(-1, 8, 3)), LAST)["model"].inputs == {"FRAMES": "frames"}


@pytest.mark.parametrize(
    ("steps", "renamed", "message"),
    [
        ((DECODE, MODEL, LAST), {"modell": {}}, r"the step modell; the steps are decode, model, last"),
        ((DECODE, MODEL, LAST), {"model": {"LOGIT": "x"}}, r"LOGIT of model; it has EMBEDDING, FRAMES, LOGITS"),
        ((DECODE, MODEL, LAST), {}, r"nobody makes face_logits, which last.FACE_LOGITS \(FP32 \[-1, 7\]\) reads"),
        ((DECODE, LAST, MODEL), RENAMED, r"nobody makes face_logits"),
        ((DECODE, MODEL), RENAMED, r"nobody makes LOGITS, which whole.LOGITS"),
        (
            (DECODE, MODEL, replace(MODEL, name="other"), LAST),
            RENAMED | {"other": {"LOGITS": "face_logits"}},
            r"face_logits is made twice, by model.LOGITS \(.*\) and by other.LOGITS",
        ),
        (
            (DECODE, changed(MODEL, "FRAMES", dtype="UINT8"), LAST),
            RENAMED,
            r"frames is made by decode.FRAMES \(FP32 .*\) and read by model.FRAMES \(UINT8 .*\): they do not fit",
        ),
        (
            (DECODE, changed(MODEL, "FRAMES", dims=(9, 8, 3)), LAST),
            RENAMED,
            r"decode.FRAMES \(FP32 \[-1, 8, 8, 3\]\) and read by model.FRAMES \(FP32 \[-1, 9, 8, 3\]\)",
        ),
        ((DECODE, MODEL, changed(LAST, "TIMES", dims=(-1, 2))), RENAMED, r"decode.TIMES .* last.TIMES .* do not fit"),
        (
            (DECODE, MODEL, replace(MODEL, name="idle"), LAST),
            RENAMED | {"idle": {"LOGITS": "idle_logits", "EMBEDDING": "idle_embedding"}},
            r"step idle feeds nobody: idle_logits, idle_embedding",
        ),
    ],
)
def test_a_mistake_is_named(steps: tuple[Step, ...], renamed: Mapping[str, Mapping[str, str]], message: str):
    with pytest.raises(TriptychError, match=message):
        join(*steps, renamed=renamed)


def test_an_output_of_the_ensemble_must_be_what_its_step_makes():
    whole = replace(WHOLE, outputs=(CLIP, tensor("LOGITS", 8), tensor("TIMES", -1)))
    with pytest.raises(TriptychError, match=r"LOGITS is made by last.LOGITS \(FP32 \[7\]\) and read by whole.LOGITS"):
        join(whole=whole)


def test_the_contract_is_joined_step_by_step():
    joined = wiring.nodes()
    assert [node.step.name for node in joined] == list(STEPS)
    assert set(joined[-1].outputs) == {one.name for one in STEPS["fusion"].outputs}


def test_every_part_of_the_graph_begins_with_a_step():
    assert list(graph.PARTS) == [name for name in STEPS if name in graph.PARTS]
    assert next(iter(graph.PARTS)) == next(iter(STEPS))


def test_every_renaming_is_needed():
    plain = {step: {name for name in names if names[name] == name.lower()} for step, names in graph.RENAMED.items()}
    assert {step: names for step, names in plain.items() if names} == {}
