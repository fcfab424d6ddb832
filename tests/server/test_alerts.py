"""Alerts, dashboard and autoscaling ask for metrics that the served system has."""

from __future__ import annotations

import json
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
PANELS = json.loads((ROOT / "docker" / "grafana" / "dashboards" / "triptych.json").read_text(encoding="utf-8"))[
    "panels"
]
SCALING = [
    ROOT / "docker" / "kubernetes" / path
    for path in ("adapter.yaml", "base/scaling.yaml", "components/keda/scaled-object.yaml")
]
METRIC = re.compile(r"\b(?:triptych|nv)_\w+")
RECORDED = {rule["record"] for rule in RULES if "record" in rule}


@pytest.fixture(scope="module")
def page(server: Service, demo_clip: Path) -> str:
    with Client(server.grpc_url) as client:
        client.analyze(demo_clip)
    return server.metrics()


@pytest.mark.parametrize("rule", RULES, ids=[rule.get("alert") or rule["record"] for rule in RULES])
def test_every_metric_of_a_rule_is_there(rule: dict, page: str):
    asked = set(METRIC.findall(rule["expr"]))
    assert asked
    assert asked <= told(page)


@pytest.mark.parametrize("panel", PANELS, ids=[panel["title"] for panel in PANELS])
def test_every_metric_of_a_panel_is_there(panel: dict, page: str):
    for target in panel["targets"]:
        asked, recorded = set(METRIC.findall(target["expr"])), set(re.findall(r"triptych:\w+", target["expr"]))
        assert asked | recorded
        assert asked <= told(page)
        assert recorded <= RECORDED


@pytest.mark.parametrize("path", SCALING, ids=lambda path: path.name)
def test_what_the_cluster_scales_on_is_there(path: Path, page: str):
    text = path.read_text(encoding="utf-8")
    recorded = set(re.findall(r"triptych:\w+", text))
    renamed = {name.replace(":", "_") for name in RECORDED}  # by adapter.yaml: the names of Kubernetes' metrics
    assert set(METRIC.findall(text)) <= told(page) | renamed
    assert recorded <= RECORDED
    assert "triptych_waiting" in text


def told(page: str) -> set[str]:
    """Return the names on the page of metrics, those of the parts of a histogram among them."""
    names = set(re.findall(r"^# TYPE (\S+)", page, re.MULTILINE))
    return names | {f"{name}_{part}" for name in names for part in ("sum", "count", "bucket")}


def test_every_alert_says_what_to_do():
    assert all(rule["annotations"]["remedy"] for rule in RULES if "alert" in rule)


def test_the_clip_is_counted_in_seconds_and_by_channel(page: str):
    lines = dict(line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))
    assert float(lines["triptych_clip_seconds_total"]) > 19
    assert float(lines['triptych_channels_total{channel="face",reason="",state="ok"}']) >= 1
