"""The part of a job that runs on the cluster: Ray Data from numbers of clips to answered pieces.

Two stages. Tasks read clips and cut long footage; each node has one actor that asks a server, `lanes` pieces at a time.
Ray Data holds tasks back while what they made waits for the next stage, and runs again what was lost with a process.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from triptych_client import outages
from triptych_client.archive import parquet
from triptych_client.batch import serving
from triptych_client.batch.fetching import Fetching
from triptych_client.batch.lane import Asked, Lane
from triptych_client.batch.pieces import Piece, of_table, to_table
from triptych_client.call import DEFAULT_TIMEOUT_S
from triptych_client.errors import TriptychClientError
from triptych_client.extras import needed_for

if TYPE_CHECKING:
    from triptych_client.connection import Limits

BLOCK = 4
"""Clips that one task reads: few, so that the lanes share them evenly at the end."""
MOST_BLOCKS = 20_000
"""Ray holds something for each task: of a million clips, one reads more."""
FETCHES = 2
"""Tasks a node that read clips at once."""
CPUS = 0.1
"""Of a node's for a task, and for the actor: what takes its cores is the server."""


@dataclass(frozen=True)
class Servers:
    """Where clips are asked: `client` are arguments of `Client` for a fleet; None: each node runs a server of its own.

    `flags` are those of `triptych serve` on the nodes. `lanes`: pieces at once on each node.
    """

    client: Mapping[str, Any] | None = None
    flags: Sequence[str] = ()
    lanes: int = 3
    timeout_s: float = DEFAULT_TIMEOUT_S
    patience_s: float = outages.PATIENCE_S


@dataclass
class Cluster:
    """A connection to Ray: to the cluster at `address`, or to one of this machine alone, made for the job."""

    address: str | None
    servers: Servers
    _ray: Any = field(default=None, init=False)
    _fleet: Limits | None = field(default=None, init=False)
    _kept: list[Any] = field(default_factory=list, init=False)
    """The actors that keep the nodes' servers: one that nobody holds is ended."""

    def __enter__(self) -> Cluster:
        serving.quiet()
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what is to be done about an error is our line
        if self.servers.client is not None:  # nobody there is known before a cluster is made
            self._fleet = _limits(self.servers.client)
        with needed_for("triptych batch", "batch"):
            self._ray = ray = _library()
        address = self.address or os.environ.get("RAY_ADDRESS")  # Ray's own variable
        quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
        try:
            ray.init(address, include_dashboard=None if address else False, **quiet)
        except Exception as error:  # a node that does not start in time is an Exception, and no kind of it
            said = " ".join(str(error).split())
            raise TriptychClientError(f"no cluster of Ray at {address or 'this machine'}: {said}") from error
        for name in ("ray", "ray.data"):
            logging.getLogger(name).setLevel(logging.ERROR)
        ray.data.DataContext.get_current().enable_progress_bars = False
        return self

    def __exit__(self, *_: object) -> None:
        self._ray.shutdown()

    @property
    def nodes(self) -> list[str]:
        """The ids of the nodes that are there for work: a head of a cluster may have no processors to give."""
        return [node["NodeID"] for node in self._ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]

    def limits(self) -> Limits:
        """Return what the servers take, as soon as all of them answer; the error of the first that does not."""
        if self._fleet is not None:
            return self._fleet
        self._kept = [_server_on(self._ray, node, self.servers.flags) for node in self.nodes]
        with ThreadPoolExecutor(len(self._kept)) as pool:
            told = list(pool.map(lambda server: _known(self._ray, server.limits.remote()), self._kept))
        return min(told, key=lambda limits: (limits.max_seconds or 0.0, limits.max_clip_bytes or 0))

    def answered(self, paths: Sequence[str], todo: Sequence[int], fetching: Fetching, asked: Asked) -> Iterator[Piece]:
        """Yield the pieces of the clips whose numbers are `todo`, each as soon as it is answered."""
        ray, nodes, pa = self._ray, self.nodes, parquet.check()
        wanted = pa.table({"clip": pa.array(todo, pa.int64()), "url": pa.array([paths[clip] for clip in todo])})
        share = ray.put(wanted)
        numbers = ray.data.range(len(todo), override_num_blocks=min(-(-len(todo) // BLOCK), MOST_BLOCKS))
        pieces = numbers.map_batches(
            _fetched,
            fn_kwargs={"wanted": share, "fetching": fetching},
            batch_size=None,
            batch_format="pyarrow",
            num_cpus=CPUS,
            compute=ray.data.TaskPoolStrategy(size=FETCHES * len(nodes)),
        )
        answers = pieces.map_batches(
            Asking,
            fn_constructor_args=(self.servers, asked),
            batch_size=1,
            batch_format="pyarrow",
            num_cpus=CPUS,
            compute=ray.data.ActorPoolStrategy(
                size=len(nodes),
                max_tasks_in_flight_per_actor=self.servers.lanes + 1,
                max_concurrent_calls_per_actor=self.servers.lanes,
                enable_true_multi_threading=True,
            ),
        )
        try:
            for block in answers.iter_batches(batch_size=None, prefetch_batches=0, batch_format="pyarrow"):
                yield from of_table(block)
        except Exception as error:  # what a stage raised comes wrapped by Ray, as often as it passed a process
            raise _cause(error) from error


class Asking:
    """The second stage: an actor of a node, whose lanes ask its server; several threads call it at once."""

    def __init__(self, servers: Servers, asked: Asked) -> None:
        serving.quiet()
        from triptych_client.client import Client

        if servers.client is None:
            ray = _library()
            self._kept = _server_on(ray, ray.get_runtime_context().get_node_id(), servers.flags)
            self._client = Client(_known(ray, self._kept.url.remote()), timeout_s=servers.timeout_s)
        else:
            self._client = Client(**servers.client)
        self._lane = Lane(self._client, asked, servers.patience_s)

    def __call__(self, table: Any) -> Iterator[Any]:
        """Yield the answers of pieces."""
        for piece in of_table(table):
            yield to_table([self._lane.ask(piece)])


class NodeServer:
    """An actor that keeps a node's server running, whatever becomes of the actors that ask it."""

    def __init__(self, flags: Sequence[str]) -> None:
        serving.quiet()
        self._kept = serving.Kept(flags)

    def url(self) -> str:
        """Return the server's address as soon as it answers."""
        return self._kept.url()

    def limits(self) -> Limits:
        """Return what the server takes."""
        return _limits({"url": self._kept.url()})


def _library() -> Any:
    """Return Ray, with what of it is used."""
    import ray  # type: ignore[import-not-found]
    import ray.data  # type: ignore[import-not-found]
    import ray.util.scheduling_strategies  # type: ignore[import-not-found]

    return ray


def _fetched(table: Any, wanted: Any, fetching: Fetching) -> Iterator[Any]:
    """Yield what is sent of clips: the first stage; `table` has their places in `wanted`."""
    ray = _library()
    share = ray.get(wanted) if isinstance(wanted, ray.ObjectRef) else wanted
    for row in share.take(table["id"]).to_pylist():
        for piece in fetching.pieces(row["clip"], row["url"]):
            yield to_table([piece])


def _server_on(ray: Any, node: str, flags: Sequence[str]) -> Any:
    """Return the actor that keeps a node's server, which is made once, and ends with the job."""
    place = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node, soft=False)
    options = {"name": f"triptych-{node}", "get_if_exists": True, "scheduling_strategy": place}
    return ray.remote(NodeServer).options(num_cpus=0, max_concurrency=8, **options).remote(flags)


def _known(ray: Any, asked: Any) -> Any:
    """Return what an actor answers, or raise the error that it raised."""
    try:
        return ray.get(asked)
    except ray.exceptions.RayError as error:
        raise _cause(error) from error


def _limits(client: Mapping[str, Any]) -> Limits:
    from triptych_client.client import Client

    with Client(**client) as connected:
        return connected.limits()


def _cause(error: BaseException) -> TriptychClientError:
    """Return the error of ours that Ray has wrapped, or one that says what Ray says."""
    inner: BaseException | None = error
    seen: set[int] = set()
    while inner is not None and id(inner) not in seen:
        if isinstance(inner, TriptychClientError):
            return inner
        seen.add(id(inner))
        inner = getattr(inner, "cause", None) or inner.__cause__ or inner.__context__
    lines = str(error).strip().splitlines()
    return TriptychClientError(f"Ray ended the job: {lines[-1] if lines else type(error).__name__}")
