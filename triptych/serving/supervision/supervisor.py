"""The watch over one embedded Triton: what dies, hangs or is stuck is seen, said, and brought back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import structlog
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from triptych.errors import TriptychError
from triptych.serving import metrics, shared_memory
from triptych.serving.embedded import EmbeddedServer
from triptych.serving.supervision.canary import Canary
from triptych.serving.supervision.patience import LOOP, BackOff, Patience
from triptych.serving.supervision.processes import Steps, lives
from triptych.serving.supervision.state import Fault, State, Traffic
from triptych.serving.work import Work
from triptych_client.contract import ENSEMBLE, STEPS, VIDEO

log = structlog.get_logger()

SERVER = "server"
"""The server as a whole, among the parts that are counted."""
CHANNEL = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.use_local_subchannel_pool", 1),  # a new channel does not wait as long as the one to a dead server would
]
FIRST = frozenset(name for name, step in STEPS.items() if VIDEO.name in {tensor.name for tensor in step.inputs})
"""The steps that read the clip itself: whatever is inside has most likely passed them when one of them dies."""
WAITED_S = 3.0
"""A clip takes some seconds; before that it is not asked whether anybody works at it."""


class Supervisor:
    """Keeps one server answering. `on_state` is told each change, in the loop that `start` is awaited in.

    It takes no clip's time: processes are looked at by their numbers, and canaries are asked only when no clip has been
    answered for a while, for an answered clip says as much.
    """

    def __init__(
        self,
        server: EmbeddedServer,
        traffic: Traffic,
        on_state: Callable[[State], None],
        patience: Patience | None = None,
    ) -> None:
        self._server = server
        self._traffic = traffic
        self._on_state = on_state
        self._patience = patience or Patience()
        self._back_off = BackOff(self._patience)
        self._canary = Canary()
        self._asked_at = 0.0
        self._work: Work | None = None
        self._check: asyncio.Task[Fault | None] | None = None
        self._kept: set[asyncio.Future[Any]] = set()
        self._watch: asyncio.Task[None] | None = None
        self._client: InferenceServerClient
        self._steps: Steps
        self._names: frozenset[str] = frozenset()
        self._hands = asyncio.Lock()
        """Held by who mends, or exchanges steps: the other waits."""

    async def start(self) -> None:
        """Start the server and the watch; TriptychError when the server does not start, or a step takes no clip."""
        self._tell(State(False, "Triton is starting"))
        try:
            await self._in_thread(self._server.start)
            await self._look()
            await self._learn()
        except BaseException:
            await self.stop(0)
            raise
        self._tell(State(True))
        self._watch = asyncio.create_task(self._keep_watch())

    async def stop(self, seconds: float = 30.0) -> None:
        """End the watch, then the server: what it works on is answered, for so many seconds."""
        if self._watch:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch
        self._tell(State(False, "Triton is stopping"))
        await asyncio.to_thread(self._server.stop, seconds)
        if self._kept:  # a restart under way ends with the server; what it had begun by then is ended now
            await asyncio.wait(self._kept)
            await asyncio.to_thread(self._server.stop, 0)
        if self._names:
            await self._client.close()

    async def run(self) -> None:
        """Start, and watch until cancelled; then stop."""
        await self.start()
        try:
            assert self._watch
            await self._watch
        finally:
            await self.stop()

    async def swap(self, repository: Path, steps: Sequence[str]) -> str:
        """Serve steps of another repository from now on; return why that was taken back, "" when it holds.

        Triton loads each beside the one that serves, and then puts it in its place. Clips that come meanwhile wait; a
        clip that is inside is answered by the models that it began with: an ensemble holds them until its answer. So no
        clip meets some of the old steps and some of the new ones.
        """
        async with self._hands:
            self._tell(State(False, f"{', '.join(steps)}: being exchanged", soon=True, planned=True))
            try:
                return await self._exchange(repository, steps)
            finally:
                self._check = self._work = None
                self._asked_at = 0.0
                self._tell(State(True))

    async def _exchange(self, repository: Path, steps: Sequence[str]) -> str:
        """Load steps of another repository and try them; when that fails, load those anew that were replaced."""
        begun = time.monotonic()
        self._server.read_from(repository)
        try:
            reason, replaced = await self._replace(steps)
        finally:
            self._server.read_from(self._server.repository)
        reason = reason or await self._prove()
        log.info("exchanged", steps=steps, taken_back=reason, seconds=round(time.monotonic() - begun, 1))
        if reason and replaced:
            await self._bring_back(replaced)
        return reason

    async def _replace(self, steps: Sequence[str]) -> tuple[str, tuple[str, ...]]:
        """Load steps in the place of those that serve; return why that failed, and which may have been replaced.

        Of a step that Triton refuses to load the old one stays.
        """
        loads = (asyncio.wait_for(self._client.load_model(step), self._patience.load_s) for step in steps)
        outcomes = dict(zip(steps, await asyncio.gather(*loads, return_exceptions=True)))
        failed = {step: str(error) or "it takes too long" for step, error in outcomes.items() if error is not None}
        wrong = {step: f"cannot be loaded: {error}" for step, error in failed.items()}
        taken = [step for step, error in outcomes.items() if not isinstance(error, InferenceServerException)]
        replaced = self._steps.find_replaced(taken)
        old = {step: "is not loaded: Triton finds nothing new in its files" for step in taken if step not in replaced}
        return "; ".join(f"{step} {words}" for step, words in (old | wrong).items()), replaced

    async def _prove(self) -> str:
        """Send a canary through every step and the graph; what it learns of them is kept when they pass."""
        canary = Canary()
        trial = self._keep(asyncio.ensure_future(canary.prove(self._client, self._names)))
        await asyncio.wait({trial}, timeout=self._patience.load_s)
        if not trial.done():
            return f"the canary was not answered within {self._patience.load_s:g} s"
        reason = trial.result()
        if not reason:
            self._canary = canary
        return reason

    async def _keep_watch(self) -> None:
        while True:
            await asyncio.sleep(self._patience.look_s)
            try:
                self._server.trim_log()
                async with self._hands:
                    fault = self._fault()
                    if fault:
                        await self._mend(fault)
            except Exception:  # whatever it was, the watch goes on
                log.exception("the watch failed")

    async def _learn(self) -> None:
        """Send a clip through every step, which also warms them up."""
        learning = self._keep(asyncio.ensure_future(self._canary.learn(self._client, self._names)))
        await asyncio.wait({learning}, timeout=self._patience.late_s)
        if not learning.done():
            raise TriptychError(
                f"Triton has not answered a clip of one second within {self._patience.late_s:g} s of its start. "
                f"Its log: {self._server.log}"
            )
        learning.result()

    def _fault(self) -> Fault | None:
        """Return what does not work, as far as is known now; begin to ask where that is due."""
        death = self._death()
        if death:
            return death
        if self._check and self._check.done():
            check, self._check = self._check, None
            return check.result()
        if not self._check and self._is_due():
            self._asked_at = time.monotonic()
            self._check = asyncio.create_task(self._find())
            self._keep(self._check)
        return None

    def _death(self) -> Fault | None:
        if not lives(self._steps.server):
            return Fault("Triton has ended")
        dead = self._steps.dead()
        return Fault(f"{', '.join(dead)} died", dead) if dead else None

    def _is_due(self) -> bool:
        """Tell whether it is time to ask: no clip was answered for a while, or those in flight seem stuck."""
        now, traffic = time.monotonic(), self._traffic
        stuck = self._is_stuck(now)
        rested = now - self._asked_at >= self._patience.canary_s
        quiet = not traffic.in_flight and now - traffic.answered_at >= self._patience.canary_s
        return rested and (stuck or quiet)

    def _is_stuck(self, now: float) -> bool:
        """Tell whether clips are in flight, none is answered, and nobody works at them, or for far too long."""
        waited_s = min(self._traffic.oldest_in_flight_s, now - self._traffic.answered_at)
        if not self._traffic.in_flight or waited_s < WAITED_S:
            self._work = None
            return False
        self._work = self._work or Work(self._steps.all())
        return self._work.idle_s() >= self._patience.idle_s or waited_s >= self._patience.late_s

    async def _find(self) -> Fault | None:
        """Ask the graph; if that does not answer, the steps one by one, for which of them it is."""
        graph = ENSEMBLE in self._names and not self._traffic.in_flight
        reason = await self._verdict(ENSEMBLE, self._steps.all()) if graph else ""
        if graph and not reason:
            return None
        asked = [step for step in self._names if self._canary.knows(step) and step != ENSEMBLE]
        verdicts = await asyncio.gather(*(self._verdict(step, self._steps.of(step)) for step in asked))
        bad = {step: verdict for step, verdict in zip(asked, verdicts) if verdict}
        if bad:
            return Fault("; ".join(bad.values()), tuple(bad))
        if self._is_stuck(time.monotonic()):
            reason = f"no clip is answered, though every step answers: {self._traffic.in_flight} in flight"
        return Fault(reason) if reason else None

    async def _verdict(self, model: str, processes: list[psutil.Process]) -> str:
        """Ask a model, as long as that takes; return what is wrong, "" when it answers or a clip is answered."""
        begun, work = time.monotonic(), Work(processes)
        answer = self._keep(asyncio.ensure_future(self._canary.ask(self._client, model)))
        while not answer.done():
            await asyncio.wait({answer}, timeout=self._patience.look_s)
            if answer.done():
                break
            if self._traffic.answered_at > begun:
                return ""
            if work.idle_s() >= self._patience.idle_s:
                return f"{model} hangs: it is asked, and does nothing for {self._patience.idle_s:g} s"
            if time.monotonic() - begun >= self._patience.late_s:
                return f"{model} has not answered for {self._patience.late_s:g} s"
        return answer.result()

    async def _mend(self, fault: Fault) -> None:
        """Bring back what does not work, and what dies meanwhile; then say that all is well."""
        begun, broken = time.monotonic(), fault
        while broken:
            self._check = self._work = None
            await self._announce(broken)
            await self._bring_back(broken.steps)
            broken = self._death()
        log.info("ready again", reason=fault.reason, seconds=round(time.monotonic() - begun, 1))
        self._asked_at = 0.0
        self._tell(State(True))

    async def _bring_back(self, steps: tuple[str, ...]) -> None:
        """Load steps anew; start the whole server anew when none is named, or they cannot be loaded."""
        if steps:
            try:
                return await self._load_anew(steps)
            except TriptychError as error:
                await self._announce(Fault(f"{', '.join(steps)} cannot be loaded: {error}"))
        return await self._restart()

    async def _announce(self, fault: Fault) -> None:
        """Count and tell a fault, and wait as long as its being the latest of several asks for."""
        parts = fault.steps or (SERVER,)
        pause_s = max(self._back_off.pause_s(part, time.monotonic()) for part in parts)
        faults = max(map(self._back_off.faults, parts))
        log.error("not ready", reason=fault.reason, parts=parts, faults=faults, pause_s=pause_s)
        said = (fault.reason, shared_memory.exhaustion(), self._loop(parts, faults, pause_s))
        soon, loses = bool(fault.steps) and not pause_s, not fault.steps or not FIRST.issuperset(fault.steps)
        self._tell(State(False, ". ".join(filter(None, said)), soon=soon, loses=loses))
        await asyncio.sleep(pause_s)
        for part in parts:
            metrics.RESTARTS.labels(part).inc()

    def _loop(self, parts: tuple[str, ...], faults: int, pause_s: float) -> str:
        if faults < LOOP:
            return ""
        return (
            f"This is a crash loop: {', '.join(parts)} failed {faults} times, each soon after the last; the next try "
            f"is in {pause_s:g} s. The log: {self._server.log}"
        )

    async def _load_anew(self, steps: tuple[str, ...]) -> None:
        """Unload and load steps: TriptychError when that fails, or the graph is not back with them."""
        self._steps.kill(steps)
        try:
            await asyncio.wait_for(self._reload(steps), self._patience.load_s)
        except asyncio.TimeoutError as error:
            raise TriptychError(f"not loaded within {self._patience.load_s:g} s") from error
        except (InferenceServerException, psutil.Error) as error:
            raise TriptychError(str(error)) from error

    async def _reload(self, steps: tuple[str, ...]) -> None:
        for step in steps:
            await self._client.unload_model(step)
        await asyncio.gather(*(self._client.load_model(step) for step in steps))
        self._steps.find(steps)
        for model in (*steps, *({ENSEMBLE} & self._names)):
            if not await self._client.is_model_ready(model):
                raise TriptychError(f"{model} is not ready after it was loaded")

    async def _restart(self) -> None:
        """Start the server anew, as often as it takes."""
        while True:
            try:
                await self._in_thread(self._server.restart)
                return await self._look()
            except (TriptychError, InferenceServerException, psutil.Error) as error:
                log.error("Triton does not start", error=str(error))
                await self._announce(Fault(f"Triton does not start: {str(error).splitlines()[0]}"))

    async def _look(self) -> None:
        """See which models and which processes there are."""
        if self._names:
            await self._client.close()
        self._client = InferenceServerClient(self._server.grpc_url, channel_args=CHANNEL)
        self._names = await self._ready_models()
        ensembles = {name for name in self._names if await self._is_ensemble(name)}
        self._steps = Steps(self._server.pid, self._names - ensembles)

    async def _ready_models(self) -> frozenset[str]:
        index = await self._client.get_model_repository_index()
        return frozenset(model.name for model in index.models if model.state == "READY") if index else frozenset()

    async def _is_ensemble(self, name: str) -> bool:
        told = await self._client.get_model_config(name)
        return bool(told and told.config.platform == "ensemble")

    async def _in_thread(self, function: Callable[[], object]) -> None:
        """Run a function in a thread; it is waited for at the stop even when this is cancelled."""
        await asyncio.shield(self._keep(asyncio.ensure_future(asyncio.to_thread(function))))

    def _keep(self, future: asyncio.Future[Any]) -> asyncio.Future[Any]:
        self._kept.add(future)
        future.add_done_callback(self._kept.discard)
        return future

    def _tell(self, state: State) -> None:
        metrics.READY.set(state.ready)
        self._on_state(state)
