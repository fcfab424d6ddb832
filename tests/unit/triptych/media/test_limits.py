from __future__ import annotations

import pytest

from triptych.errors import TriptychError
from triptych.media.limits import Limits


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
