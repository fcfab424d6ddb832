"""A day's clips -> servers: what is known of hosts, what is promised, and what is said of what cannot be had."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from triptych.capacity.costs import MEASURED, Host, Point
from triptych.capacity.estimates import CARDS
from triptych.capacity.plan import Promise, foresee, plan
from triptych.commands.capacity import Kind, capacity
from triptych.errors import TriptychError
from triptych.paths import ROOT
from triptych.serving.door.admission import Bounds

HOST = Host("here", "made up", 2, 8.0, 60.0, (Point(2, 1.0, 1.0, 0.1), Point(10, 2.0, 0.5, 0.2)))


def test_between_two_lengths_costs_are_between_theirs_and_beyond_they_go_on():
    assert HOST.at(2) == HOST.points[0]
    assert HOST.at(6) == Point(6, 1.5, 0.75, pytest.approx(0.15))
    assert HOST.at(1).lone_s == 1.0
    assert HOST.at(18).lone_s == pytest.approx(3.0)
    assert HOST.at(18).share == 0.5


def test_a_server_answers_more_at_once_where_clips_batch():
    assert Point(2, 1.0, 1.0, 0).clips_a_second(8) == pytest.approx(1.0)
    assert Point(2, 1.0, 0.25, 0).clips_a_second(3) == pytest.approx(2.0)


def test_a_plan_holds_its_promise_and_one_server_less_would_not():
    promise = Promise(6.0, 0.01, 30.0)
    found = plan(HOST, 2.0, Bounds(), 20.0, promise, spares=1)
    assert found.load.holds(promise)
    assert found.load.a_second < found.most
    each = 20.0 / (found.servers - 2)
    assert not foresee(found.cost, found.bounds, each * 1.05, promise).holds(promise)
    assert found.memory_gib == found.servers * 8.0
    assert found.money_a_day(0.5) == found.servers * 12.0


def test_a_promise_that_one_clip_breaks_is_told():
    with pytest.raises(TriptychError, match=r"no server of here answers .* within 0\.5 s: one alone takes 1\.00 s"):
        plan(HOST, 2.0, Bounds(), 1.0, Promise(0.5), 0)


@pytest.mark.parametrize("card", CARDS.values(), ids=lambda card: card.name)
def test_estimates_say_that_they_are_and_what_bounds_them(card):
    host = card.host()
    assert not host.measured
    assert host.source.startswith("an estimate")
    assert host.at(20).clips_a_second(1000) * 0.9 < card.cores / 0.7
    assert f"{card.cores} cores decode" in host.bound_by


def test_a_faster_card_is_not_slower():
    t4, l4, h100 = (CARDS[name].host().at(20).lone_s for name in ("T4", "L4", "H100"))
    assert h100 < l4 <= t4


def test_what_was_measured_is_what_the_page_says():
    page = json.loads((ROOT / "benchmarks" / "results" / "capacity.json").read_text(encoding="utf-8"))
    assert page["host"] == json.loads(MEASURED.read_text(encoding="utf-8"))["host"]
    assert Host.read(MEASURED).measured


def asked(capsys: pytest.CaptureFixture[str], **options) -> str:
    named = {"clips_per_day": 20_000, "length": 3.0, "as_json": True, **options}
    command = typer.main.get_command(_app())
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in named.items() if name != "as_json"]
    command.main([*arguments, *(["--json"] if named["as_json"] else [])], standalone_mode=False)
    return capsys.readouterr().out


def _app() -> typer.Typer:
    app = typer.Typer()
    app.command()(capacity)
    return app


def test_the_command_says_servers_memory_and_money(capsys: pytest.CaptureFixture[str]):
    told = json.loads(asked(capsys, price_per_hour=0.1))
    assert told["measured"] is True
    assert told["servers"] >= 2
    assert told["memory_gib"] == told["servers"] * 8
    assert told["money_a_day"] == pytest.approx(told["servers"] * 2.4)
    assert told["server"]["p95_s"] <= told["promise"]["p95_s"]
    assert told["jump"]["servers_before"] <= told["servers"]


def test_without_a_price_there_is_no_money_and_gpus_are_called_estimates(capsys: pytest.CaptureFixture[str]):
    told = json.loads(asked(capsys, gpu=Kind.L4.value))
    assert (told["money_a_day"], told["measured"], told["gpus"]) == (None, False, told["servers"])
    said = asked(capsys, gpu=Kind.T4.value, as_json=False)
    assert "an estimate" in said
    assert "--price-per-hour" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"costs": "nowhere.json"}, "nowhere.json is not what `python -m benchmarks.capacity` writes"),
        ({"cores": 8}, "--cores is of hosts with a GPU"),
        ({"p95": 0.001}, "no server of cpu answers"),
    ],
)
def test_what_cannot_be_planned_is_one_line(options, said, capsys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TriptychError, match=said) as error:
        asked(capsys, **options)
    assert "\n" not in str(error.value)
