"""The example alerts ask for metrics that the served system has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from triptych.paths import ROOT
from triptych.serving.service import Service
from triptych_client import Client

pytestmark = pytest.mark.server

RULES = [
    rule
    for group in yaml.safe_load((ROOT / "docs" / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]


@pytest.fixture(scope="module")
def page(server: Service, demo_clip: Path) -> str:
    with Client(server.grpc_url) as client:
        client.analyze(demo_clip)
    return server.metrics()


@pytest.mark.parametrize("rule", RULES, ids=[rule.get("alert") or rule["record"] for rule in RULES])
def test_every_metric_of_a_rule_is_there(rule: dict, page: str):
    told = set(re.findall(r"^# TYPE (\S+)", page, re.MULTILINE))
    told |= {f"{name}_{part}" for name in told for part in ("sum", "count", "bucket")}
    asked = set(re.findall(r"\b(?:triptych|nv)_\w+", rule["expr"]))
    assert asked
    assert asked <= told


def test_every_alert_says_what_to_do():
    assert all(rule["annotations"]["remedy"] for rule in RULES if "alert" in rule)


def test_the_clip_is_counted_in_seconds_and_by_channel(page: str):
    lines = dict(line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))
    assert float(lines["triptych_clip_seconds_total"]) > 19
    assert float(lines['triptych_channels_total{channel="face",reason="",state="ok"}']) >= 1
