"""Statuses carry codes of the contract, and every code is one that the server gives."""

from __future__ import annotations

import re

import pytest

from triptych.answer.status import OK, Status
from triptych.paths import ROOT
from triptych_client.contract import REASONS, STATES

SERVER = sorted([*(ROOT / "triptych").rglob("*.py"), *(ROOT / "model_repository").glob("*/1/*.py")])


@pytest.mark.parametrize("code", REASONS)
def test_every_code_of_the_contract_is_given_by_the_server(code: str):
    given = re.compile(rf'"(?:{"|".join(STATES)})", "{code}"')
    assert any(given.search(path.read_text(encoding="utf-8")) for path in SERVER)


@pytest.mark.parametrize(("state", "reason"), [("tired", ""), ("absent", "the file has no video track")])
def test_a_status_that_the_contract_lacks_is_refused(state: str, reason: str):
    with pytest.raises(ValueError, match="the contract has no status"):
        Status(state, reason)


@pytest.mark.parametrize(
    "status", [OK, Status("ok", "uncalibrated"), Status("failed", "undecodable_audio", "aac"), Status("absent")]
)
def test_a_status_becomes_a_tensor_and_back(status: Status):
    assert Status.read(status.tensor()) == status
    assert status.ok == (status.state == "ok")
