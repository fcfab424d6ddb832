"""Messages that the door writes, or adds to without taking them apart."""

from __future__ import annotations

from tritonclient.grpc import service_pb2

from triptych.serving.door import wire


def test_the_limits_come_after_triton_s_extensions():
    told = service_pb2.ServerMetadataResponse(name="t", version="2", extensions=["trace"]).SerializeToString()
    after = service_pb2.ServerMetadataResponse.FromString(wire.with_extensions(told, ["triptych:max_clip_bytes=5"]))
    assert (after.name, after.version, [*after.extensions]) == ("t", "2", ["trace", "triptych:max_clip_bytes=5"])


def test_answers_of_the_door_itself():
    assert service_pb2.ServerReadyResponse.FromString(wire.ready(True)).ready
    assert not service_pb2.ServerReadyResponse.FromString(wire.ready(False)).ready
    assert service_pb2.ServerLiveResponse.FromString(wire.live()).live
    assert not service_pb2.ModelReadyResponse.FromString(wire.model_not_ready()).ready
