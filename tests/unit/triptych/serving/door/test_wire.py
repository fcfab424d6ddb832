"""Messages that are added to without being taken apart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tritonclient.grpc import service_pb2

from triptych.serving.door import wire

NAMES = st.text(max_size=20)


def request(**parameters: str) -> service_pb2.ModelInferRequest:
    message = service_pb2.ModelInferRequest(model_name="emotion", id="mine", raw_input_contents=[b"\x00clip\xff" * 99])
    for name, value in parameters.items():
        message.parameters[name].string_param = value
    return message


@given(NAMES, st.integers(-(1 << 63), (1 << 63) - 1), NAMES)
def test_a_request_keeps_all_that_it_has_and_gets_the_parameters(text: str, number: int, language: str):
    before = request(language=language)
    more = wire.with_parameters(before.SerializeToString(), {"ticket": number, "request_id": text})
    after = service_pb2.ModelInferRequest.FromString(more)
    assert after.parameters["ticket"].int64_param == number
    assert after.parameters["request_id"].string_param == text
    for name in ("ticket", "request_id"):
        del after.parameters[name]
    assert after == before


def test_a_caller_cannot_bring_a_ticket_of_his_own():
    forged = request(ticket="17").SerializeToString()
    after = service_pb2.ModelInferRequest.FromString(wire.with_parameters(forged, {"ticket": 4}))
    assert after.parameters["ticket"].int64_param == 4
    assert not after.parameters["ticket"].string_param


def test_the_limits_come_after_triton_s_extensions():
    told = service_pb2.ServerMetadataResponse(name="t", version="2", extensions=["trace"]).SerializeToString()
    after = service_pb2.ServerMetadataResponse.FromString(wire.with_extensions(told, ["triptych:max_clip_bytes=5"]))
    assert (after.name, after.version, [*after.extensions]) == ("t", "2", ["trace", "triptych:max_clip_bytes=5"])


def test_answers_of_the_door_itself():
    assert service_pb2.ServerReadyResponse.FromString(wire.ready(True)).ready
    assert not service_pb2.ServerReadyResponse.FromString(wire.ready(False)).ready
    assert service_pb2.ServerLiveResponse.FromString(wire.live()).live
    assert not service_pb2.ModelReadyResponse.FromString(wire.model_not_ready()).ready
