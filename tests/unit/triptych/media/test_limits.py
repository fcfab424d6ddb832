from __future__ import annotations

import pytest

from triptych.errors import TriptychError
from triptych.media import limits as limits_module
from triptych.media.limits import MIB, Limits, packet_bytes


def test_a_limit_is_set_by_its_variable(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TRIPTYCH_MAX_SECONDS", "12.5")
    monkeypatch.setenv("TRIPTYCH_MAX_FRAMES", "16")
    limits = Limits.from_environment()
    assert (limits.seconds, limits.frames, limits.mebibytes) == (12.5, 16, 64.0)


@pytest.mark.parametrize("text", ["many", "-1", "0", "nan", "inf", "1.5"])
def test_a_limit_that_is_no_number_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, text: str):
    monkeypatch.setenv("TRIPTYCH_MAX_FRAMES", text)
    with pytest.raises(TriptychError, match=f"TRIPTYCH_MAX_FRAMES={text}"):
        Limits.from_environment()


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("SECONDS", "300", r"largest value that works here is 239\.5, because Whisper takes 8 chunks of 30 s at once"),
        ("FRAMES", "200", "largest value that works here is 128, because face_detector takes so many frames"),
        ("FACES", "1000", "largest value that works here is 256, because expression takes so many faces"),
        ("MEBIBYTES", "4096", "largest value that works here is 2047, because a gRPC message is smaller than 2 GiB"),
        ("SIDE_PX", "17000", "largest value that works here is 16000, because FFmpeg takes no larger pictures"),
    ],
)
def test_a_limit_that_cannot_work_is_refused_with_the_largest_that_does(
    monkeypatch: pytest.MonkeyPatch, field: str, text: str, words: str
):
    monkeypatch.setattr(limits_module, "memory_bytes", lambda: 1 << 40)
    monkeypatch.setenv(f"TRIPTYCH_MAX_{field}", text)
    with pytest.raises(TriptychError, match=f"TRIPTYCH_MAX_{field}={text} is too much: the {words}"):
        Limits.from_environment()


@pytest.mark.parametrize(("field", "text", "largest"), [("MEBIBYTES", "1024", "512"), ("SIDE_PX", "8192", "5461")])
def test_memory_bounds_what_can_be_raised(monkeypatch: pytest.MonkeyPatch, field: str, text: str, largest: str):
    monkeypatch.setattr(limits_module, "memory_bytes", lambda: 4096 * MIB)
    monkeypatch.setenv(f"TRIPTYCH_MAX_{field}", text)
    with pytest.raises(
        TriptychError, match=rf"works here is {largest}, because this server may use 4096 MiB of memory"
    ):
        Limits.from_environment()
    monkeypatch.setenv(f"TRIPTYCH_MAX_{field}", largest)
    assert Limits.from_environment().decoder_bytes <= 2048 * MIB


def test_the_usual_limits_are_never_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits_module, "memory_bytes", lambda: 256 * MIB)
    assert Limits.from_environment() == Limits()
    assert Limits().decoder_bytes == 256 * MIB


def test_what_depends_on_a_limit_grows_with_it():
    usual, raised = Limits(), Limits(seconds=120, side_px=8192, mebibytes=128)
    assert raised.packets > usual.packets
    assert raised.decoded_px == 2 * usual.decoded_px
    assert raised.frame_px == 4 * usual.frame_px
    assert raised.decoder_bytes > usual.decoder_bytes
    assert packet_bytes(100 * MIB) > packet_bytes(50 * MIB) > 50 * MIB
