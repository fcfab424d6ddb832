"""Requests that are taken apart: nothing is lost, nothing slips through, whatever comes is a request or a refusal."""

from __future__ import annotations

from contextlib import suppress

import pytest
from grpc import StatusCode
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.grpc import service_pb2

from triptych.serving.door.admission import Refusal
from triptych.serving.door.parcel import MOST_AROUND, MOST_FIELDS, opened

NAMES = st.text(max_size=20)
CLIPS = st.lists(st.binary(max_size=300), max_size=3)
CLIP = b"\x00clip\xff" * 99


def request(*clips: bytes, **parameters: str) -> service_pb2.ModelInferRequest:
    message = service_pb2.ModelInferRequest(model_name="emotion", id="mine", raw_input_contents=clips or [CLIP])
    for number in range(len(message.raw_input_contents)):
        message.inputs.add(name=f"VIDEO{number}", datatype="UINT8", shape=[len(message.raw_input_contents[number])])
    message.outputs.add(name="ANSWER")
    for name, value in parameters.items():
        message.parameters[name].string_param = value
    return message


def parsed(message: bytes) -> service_pb2.ModelInferRequest:
    return service_pb2.ModelInferRequest.FromString(message)


def refused(body: bytes) -> Refusal:
    with pytest.raises(Refusal) as told:
        opened(body)
    assert told.value.status is StatusCode.INVALID_ARGUMENT
    return told.value


@given(CLIPS, NAMES, st.integers(-(1 << 63), (1 << 63) - 1), NAMES)
def test_a_request_keeps_all_that_it_has_and_gets_the_parameters(
    clips: list[bytes], text: str, number: int, language: str
):
    before = request(*clips, language=language)
    after = parsed(opened(before.SerializeToString()).message({"ticket": number, "request_id": text}))
    assert after.parameters["ticket"].int64_param == number
    assert after.parameters["request_id"].string_param == text
    for name in ("ticket", "request_id"):
        del after.parameters[name]
    assert after == before


def test_a_caller_cannot_bring_a_ticket_of_his_own():
    after = parsed(opened(request(ticket="17").SerializeToString()).message({"ticket": 4}))
    assert after.parameters["ticket"].int64_param == 4
    assert not after.parameters["ticket"].string_param


def test_a_clip_is_not_copied():
    body = request(CLIP).SerializeToString()
    clip = opened(body).clip
    assert clip is not None
    assert bytes(clip) == CLIP
    assert clip.obj is body


def test_with_a_region_the_message_says_where_the_clip_is_and_does_not_hold_it():
    parcel = opened(request(CLIP).SerializeToString())
    after = parsed(parcel.message({}, region="slot"))
    place = after.inputs[0].parameters
    assert not after.raw_input_contents
    assert place["shared_memory_region"].string_param == "slot"
    assert place["shared_memory_byte_size"].int64_param == len(CLIP)
    assert parsed(parcel.message({})) == request(CLIP), "the parcel itself stays as it is"


@pytest.mark.parametrize("clips", [(b"one", b"two"), ()])
def test_only_a_request_of_one_input_has_a_clip(clips: tuple[bytes, ...]):
    message = request(*clips)
    if not clips:
        message.ClearField("raw_input_contents")
        message.inputs[0].contents.uint_contents.extend([1, 2, 3])
    parcel = opened(message.SerializeToString())
    assert parcel.clip is None
    assert parsed(parcel.message({})) == message


@given(st.binary(max_size=200))
def test_whatever_comes_is_a_request_or_refused(body: bytes):
    with suppress(Refusal):
        parsed(opened(body).message({}))


@given(st.integers(1, len(CLIP) + 20), st.sampled_from((b"\xff", b"\x0b", b"\x08\x01", b"\x09")))
def test_what_is_torn_or_of_another_form_is_refused(missing: int, more: bytes):
    body = request(CLIP).SerializeToString()
    if missing % (len(CLIP) + 4) < len(CLIP):  # it ends within the clip
        refused(body[: -(missing % len(CLIP)) - 1])
    refused(body + more)


def test_what_nobody_needs_is_not_looked_at_for_long():
    refused(b"\x1a\x00" * (MOST_FIELDS + 1))
    assert "raw_input_contents" in refused(request(language="x" * MOST_AROUND).SerializeToString()).words


def test_what_a_newer_protocol_has_does_not_go_on():
    unknown = b"\xf2\x06\x03abc"  # field 110
    after = opened(request(CLIP).SerializeToString() + unknown).message({})
    assert parsed(after) == request(CLIP)
    assert b"abc" not in after
