"""`triptych capacity`: how many servers a day's clips need, what they cost, and what callers would see."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from triptych.errors import TriptychError
from triptych.serving.door.admission import Bounds

if TYPE_CHECKING:
    from triptych.capacity.costs import Host
    from triptych.capacity.fleet import Jump
    from triptych.capacity.plan import Plan, Promise


class Kind(str, Enum):
    """A kind of host."""

    CPU = "cpu"
    T4 = "T4"
    L4 = "L4"
    H100 = "H100"


JUMP_S = 900.0
"""So long a jump of the load is looked at."""
FEWEST_SIMULATED = 4
CALLS_SIMULATED = 6_000
"""Of a fleet to which the peak comes, about so many calls are looked at: a larger one in proportion."""


def capacity(
    clips_per_day: Annotated[float, typer.Option(min=1, help="Clips that come in a day.")],
    length: Annotated[float, typer.Option(min=0.1, help="Seconds of a clip.")],
    gpu: Annotated[Kind, typer.Option(help="What the servers are; GPUs are estimates.")] = Kind.CPU,
    peak: Annotated[float, typer.Option(min=1, help="The busiest hour has so many times the mean.")] = 3.0,
    p95: Annotated[float | None, typer.Option(help="Seconds: 95 of 100 answers are to come within.")] = None,
    refused: Annotated[float, typer.Option(min=0, max=1, help="Share of calls that may be refused.")] = 0.01,
    deadline: Annotated[float | None, typer.Option(min=0.1, help="Seconds that callers wait; for ever by default.")] = (
        None
    ),
    in_flight: Annotated[int | None, typer.Option(min=1, help="`triptych serve --in-flight`.")] = None,
    waiting: Annotated[int, typer.Option(min=0, help="`triptych serve --waiting`.")] = Bounds.waiting,
    spares: Annotated[int, typer.Option(min=0, help="Servers more than are needed, for when one is away.")] = 1,
    cores: Annotated[int | None, typer.Option(min=1, help="Cores beside the GPU of a host.")] = None,
    costs: Annotated[Path | None, typer.Option(help="What `python -m benchmarks.capacity` measured on a host.")] = None,
    price_per_hour: Annotated[
        float | None, typer.Option(min=0, help="Of one host, in any currency. None is known here: prices change.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it for programs.")] = False,
) -> None:
    """Turn what a clip costs into servers, memory and money, by simulating the door, its queue and autoscaling."""
    try:
        from triptych.capacity import fleet, plan
    except ModuleNotFoundError as error:
        raise TriptychError(f"to simulate, {error.name} is missing: pip install 'triptych[capacity]'") from error

    host = _host(gpu, cores, costs)
    bounds = Bounds(in_flight or (Bounds.in_flight if gpu is Kind.CPU else 16), waiting)
    alone_s = host.at(length).lone_s
    promise = plan.Promise(p95 if p95 is not None else 5 * alone_s, refused, deadline)
    found = plan.plan(host, length, bounds, peak * clips_per_day / plan.DAY_S, promise, spares)
    jumped = _jump(found, peak, promise)
    if as_json:
        typer.echo(json.dumps(_facts(found, promise, jumped, price_per_hour), indent=2))
        return
    Console().print(_table(found, promise, jumped, clips_per_day, price_per_hour, fleet.Autoscaling(host.start_s)))


def _host(kind: Kind, cores: int | None, costs: Path | None) -> Host:
    from dataclasses import replace

    from triptych.capacity import costs as known
    from triptych.capacity.estimates import CARDS

    if costs is not None:
        return known.Host.read(costs)
    if kind is Kind.CPU:
        if cores is not None:
            raise TriptychError("--cores is of hosts with a GPU; what another processor does is measured: --costs")
        return known.Host.read(known.MEASURED)
    card = CARDS[kind.value]
    return replace(card, cores=cores or card.cores).host()


def _jump(found: Plan, peak: float, promise: Promise) -> Jump:
    """Return what becomes of the peak when it comes at once to as many servers as its mean needs."""
    from triptych.capacity import fleet
    from triptych.capacity.simulation import Manners

    shrunk = max(min(found.peak_a_second * JUMP_S / CALLS_SIMULATED, found.servers / FEWEST_SIMULATED), 1.0)
    most = round(found.servers / shrunk)
    return fleet.jump(
        found.cost,
        found.bounds,
        fleet.Autoscaling(found.host.start_s),
        servers=max(round(most / peak), 1),
        most=most,
        a_second=found.peak_a_second / shrunk,
        seconds=JUMP_S,
        manners=Manners(promise.deadline_s),
    )


def _facts(found: Plan, promise: Promise, jumped: Jump, price: float | None) -> dict[str, Any]:
    return {
        "host": found.host.name,
        "source": found.host.source,
        "measured": found.host.measured,
        "promise": asdict(promise),
        "clip": asdict(found.cost),
        "peak_clips_a_second": found.peak_a_second,
        "server": {"clips_a_second_at_most": found.most, **asdict(found.load)},
        "servers": found.servers,
        "memory_gib": found.memory_gib,
        "gpus": found.servers if found.host.gpu_gib else 0,
        "money_a_day": None if price is None else found.money_a_day(price),
        "jump": {
            "servers_before": jumped.servers_before,
            "servers_after": jumped.servers_after,
            "refused": jumped.tally.refused_share,
            "settled_s": jumped.settled_s,
        },
    }


def _table(found: Plan, promise: Promise, jumped: Jump, clips_a_day: float, price: float | None, rule: Any) -> Table:
    table = Table(title=None, show_header=False, box=None, pad_edge=False)
    rows = [
        ("clips a second, mean and peak", f"{clips_a_day / 86_400:.2f}, {found.peak_a_second:.2f}"),
        ("a clip of " + f"{found.cost.seconds:g} s", f"{found.cost.lone_s:.2f} s alone on {found.host.name}"),
        ("the figures", found.host.source),
        *([("what bounds them", found.host.bound_by)] if found.host.bound_by else []),
        ("a server answers", f"{found.most:.2f} clips a second at most, {found.load.a_second:.2f} as promised"),
        (
            "foreseen at that load",
            f"95 of 100 within {found.load.p95_s:.2f} s (promised {promise.p95_s:.2f}), "
            f"{found.load.refused:.1%} refused (promised {promise.refused:.1%})",
        ),
        ("servers", f"{found.servers}" + (f", each with one {found.host.name}" if found.host.gpu_gib else "")),
        ("memory", f"{found.memory_gib:,.0f} GiB, {found.host.memory_gib:g} each"),
        ("money", _money(found, clips_a_day, price)),
        (
            "the peak comes at once",
            f"to {jumped.servers_before} of {jumped.servers_after} servers (a new one takes {rule.start_s:g} s): "
            f"{jumped.tally.refused_share:.0%} refused in {JUMP_S / 60:g} minutes, the last server is there after "
            f"{jumped.settled_s:.0f} s",
        ),
    ]
    for row in rows:
        table.add_row(*row)
    return table


def _money(found: Plan, clips_a_day: float, price: float | None) -> str:
    if price is None:
        return "not known: --price-per-hour of one host"
    a_day = found.money_a_day(price)
    return f"{a_day:,.2f} a day, {1e6 * a_day / clips_a_day:,.2f} a million clips, all servers running all day"
