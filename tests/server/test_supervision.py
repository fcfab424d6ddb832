"""What is brought back when it dies, hangs or is stuck. Real processes of a real Triton; nothing stands in for them."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
import pytest
import tritonclient.grpc.aio as triton

from triptych.serving import metrics, sources
from triptych.serving.embedded import EmbeddedServer
from triptych.serving.supervision import Patience, State, Supervisor
from triptych.serving.supervision.processes import step_of
from triptych_client import AsyncClient
from triptych_client.contract import ENSEMBLE, STEPS

STEP = "media_probe"
"""A step of our own code, which needs no export; a graph of it alone is a graph."""
ONE_STEP = f"""
name: "{ENSEMBLE}" platform: "ensemble"
input [ {{ name: "VIDEO" data_type: TYPE_UINT8 dims: [ -1 ] }} ]
output [ {{ name: "CLIP" data_type: TYPE_FP32 dims: [ 6 ] }} ]
ensemble_scheduling {{ step [ {{
  model_name: "{STEP}" model_version: -1
  input_map {{ key: "VIDEO" value: "VIDEO" }} output_map {{ key: "CLIP" value: "CLIP" }}
}} ] }}
"""
PLAIN = """
name: "{name}" backend: "python" input [ {{ name: "X" data_type: TYPE_FP32 dims: [ 1 ] }} ]
output [ {{ name: "Y" data_type: TYPE_FP32 dims: [ 1 ] }} ] instance_group [ {{ kind: KIND_CPU count: 1 }} ]
"""
DOUBLE = """
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        {at_start}

    def execute(self, requests):
        given = [pb_utils.get_input_tensor_by_name(request, "X").as_numpy() for request in requests]
        return [pb_utils.InferenceResponse([pb_utils.Tensor("Y", 2 * array)]) for array in given]
"""
HANG_IF_TOLD = """
import threading
from pathlib import Path

from triptych.media import probe
from triptych.media.limits import Limits
from triptych.serving import adapter


class TritonPythonModel:
    def initialize(self, args):
        self.hang = Path(args["model_repository"]) / "hang"

    def execute(self, requests):
        if self.hang.exists():
            threading.Event().wait()
        return adapter.each(requests, "media_probe", self.probe)

    def probe(self, video):
        facts = probe.probe(video, Limits.from_environment())
        return {"CLIP": facts.clip(), "PLANNED_INDICES": facts.planned_indices, "PLANNED_TIMES": facts.planned_times}
"""
"""The step as it is, but for a file that makes it wait for ever, with the stub's own threads alive."""
DIE_IF_TOLD = """
        import os, signal
        from pathlib import Path
        folder = Path(args["model_repository"])
        with (folder / "loads").open("a") as file:
            file.write("x")
        if (folder / "die").exists():
            os.kill(os.getpid(), signal.SIGKILL)
"""
PATIENCE = Patience(canary_s=0.5, idle_s=1.5, load_s=30, first_pause_s=0.05)
WAIT_S = 120


@dataclass
class Door:
    """What a door would know of its clips, and what it is told."""

    in_flight: int = 0
    answered_at: float = 0.0
    oldest_in_flight_s: float = 0.0
    told: list[State] = field(default_factory=list)

    def tell(self, state: State) -> None:
        self.told.append(state)

    @property
    def reasons(self) -> str:
        return "\n".join(state.reason for state in self.told)


@dataclass
class Watched:
    """A server under supervision."""

    server: EmbeddedServer
    door: Door

    def stubs(self) -> dict[str, psutil.Process]:
        named = {step_of(child): child for child in psutil.Process(self.server.pid).children()}
        named.pop("", None)  # Triton may have others for a moment, such as one that has ended and is not reaped
        return named

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return once something holds."""
        deadline = time.monotonic() + WAIT_S
        while not holds():
            assert time.monotonic() < deadline, f"in vain; told were: {self.door.told}"
            await asyncio.sleep(0.02)

    async def mended(self, before: int) -> None:
        """Return once it was told that something is wrong, and then that all is well."""
        await self.until(lambda: not all(state.ready for state in self.door.told[before:]) and self.door.told[-1].ready)

    async def ask(self, model: str = "double") -> float:
        async with triton.InferenceServerClient(self.server.grpc_url) as client:
            tensor = triton.InferInput("X", [1], "FP32")
            tensor.set_data_from_numpy(np.ones(1, np.float32))
            result = await client.infer(model, [tensor])
            return float(result.as_numpy("Y")[0])

    async def refusal(self) -> str:
        """Ask the small graph what is no clip, and return its words."""
        async with triton.InferenceServerClient(self.server.grpc_url) as client:
            tensor = triton.InferInput("VIDEO", [1], "UINT8")
            tensor.set_data_from_numpy(np.ones(1, np.uint8))
            with pytest.raises(triton.InferenceServerException) as refused:
                await client.infer(ENSEMBLE, [tensor])
            return str(refused.value.status())


def plain(root: Path, name: str, at_start: str = "pass") -> Path:
    """Write a step that doubles a number."""
    (root / name / "1").mkdir(parents=True)
    (root / name / "config.pbtxt").write_text(PLAIN.format(name=name))
    (root / name / "1" / "model.py").write_text(DOUBLE.format(at_start=at_start.strip()))
    return root


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    """A repository of one of our steps, a graph of it, and a step beside them."""
    root = plain(tmp_path / "models", "double")
    shutil.copytree(sources.REPOSITORY / STEP, root / STEP, ignore=shutil.ignore_patterns("__pycache__"))
    (root / STEP / "1" / "model.py").write_text(HANG_IF_TOLD)
    (root / ENSEMBLE / "1").mkdir(parents=True)
    (root / ENSEMBLE / "config.pbtxt").write_text(ONE_STEP)
    return root


@asynccontextmanager
async def supervised(repository: Path, work: Path, patience: Patience = PATIENCE) -> AsyncIterator[Watched]:
    door = Door()
    server = EmbeddedServer(repository, work=work)
    supervisor = Supervisor(server, door, door.tell, patience)
    await supervisor.start()
    try:
        assert door.told[-1] == State(True)
        yield Watched(server, door)
    finally:
        await supervisor.stop()
    assert not door.told[-1].ready


def restarts(part: str) -> float:
    return metrics.REGISTRY.get_sample_value("triptych_restarts_total", {"part": part}) or 0.0


async def test_steps_that_are_killed_are_loaded_anew(graph: Path, tmp_path: Path):
    async with supervised(graph, tmp_path / "work") as watched:
        before, pid, counted = len(watched.door.told), watched.server.pid, restarts(STEP)
        for stub in watched.stubs().values():
            stub.kill()
        await watched.mended(before)
        assert await watched.ask() == 2.0
        assert await watched.refusal() == "StatusCode.INVALID_ARGUMENT"
        assert (watched.server.pid, restarts(STEP)) == (pid, counted + 1)
        assert "died" in watched.door.told[before].reason
        assert watched.door.told[before].soon
        assert metrics.REGISTRY.get_sample_value("triptych_ready") == 1


async def test_a_killed_server_is_started_anew_at_the_same_address(graph: Path, tmp_path: Path):
    async with supervised(graph, tmp_path / "work") as watched:
        before, url, counted = len(watched.door.told), watched.server.grpc_url, restarts("server")
        os.kill(watched.server.pid, signal.SIGKILL)
        await watched.mended(before)
        assert watched.server.grpc_url == url
        assert await watched.ask() == 2.0
        assert await watched.refusal() == "StatusCode.INVALID_ARGUMENT"
        assert restarts("server") == counted + 1
        assert "Triton has ended" in watched.door.reasons
        assert not any(state.soon for state in watched.door.told)


async def test_a_step_that_stands_still_is_loaded_anew(graph: Path, tmp_path: Path):
    async with supervised(graph, tmp_path / "work") as watched:
        before, pid = len(watched.door.told), watched.server.pid
        watched.stubs()[STEP].send_signal(signal.SIGSTOP)
        await watched.mended(before)
        assert await watched.refusal() == "StatusCode.INVALID_ARGUMENT"
        assert watched.server.pid == pid


async def test_a_step_that_hangs_is_found_by_a_canary_without_any_clip(graph: Path, tmp_path: Path):
    async with supervised(graph, tmp_path / "work") as watched:
        before, pid = len(watched.door.told), watched.server.pid
        (graph / STEP / "hang").touch()
        await watched.until(lambda: not watched.door.told[-1].ready)
        (graph / STEP / "hang").unlink()
        await watched.mended(before)
        assert await watched.refusal() == "StatusCode.INVALID_ARGUMENT"
        assert f"{STEP} hangs: it is asked, and does nothing" in watched.door.reasons
        assert watched.server.pid == pid


async def test_a_step_that_hangs_under_a_clip_is_found(graph: Path, tmp_path: Path):
    async with supervised(graph, tmp_path / "work") as watched:
        before = len(watched.door.told)
        (graph / STEP / "hang").touch()
        watched.door.in_flight, watched.door.oldest_in_flight_s = 1, 100.0
        await watched.until(lambda: not watched.door.told[-1].ready)
        (graph / STEP / "hang").unlink()
        watched.door.in_flight, watched.door.oldest_in_flight_s = 0, 0.0
        await watched.mended(before)
        assert f"{STEP} hangs: it is asked, and does nothing" in watched.door.reasons
        assert await watched.refusal() == "StatusCode.INVALID_ARGUMENT"


async def test_a_server_that_answers_no_clip_though_its_steps_do_is_started_anew(graph: Path, tmp_path: Path):
    async with supervised(graph, tmp_path / "work") as watched:
        before, pid = len(watched.door.told), watched.server.pid
        watched.door.in_flight, watched.door.oldest_in_flight_s = 2, 1000.0
        await watched.until(lambda: len(watched.door.told) > before)
        watched.door.in_flight, watched.door.oldest_in_flight_s = 0, 0.0
        await watched.mended(before)
        assert "no clip is answered, though every step answers: 2 in flight" in watched.door.reasons
        assert watched.server.pid != pid


async def test_a_server_that_hangs_as_a_whole_is_started_anew(graph: Path, tmp_path: Path):
    async with supervised(graph, tmp_path / "work", Patience(idle_s=1.5, canary_s=0.5, load_s=3)) as watched:
        before, pid = len(watched.door.told), watched.server.pid
        os.kill(pid, signal.SIGSTOP)
        await watched.until(lambda: watched.server.pid not in {0, pid})
        await watched.mended(before)
        assert await watched.ask() == 2.0


async def test_a_step_that_dies_whenever_it_is_loaded_is_a_crash_loop_and_comes_back_with_its_cause_gone(
    tmp_path: Path,
):
    repository = plain(tmp_path / "models", "double", DIE_IF_TOLD)
    async with supervised(repository, tmp_path / "work", Patience(load_s=30, first_pause_s=0.05)) as watched:
        (repository / "double" / "die").touch()
        before = len(watched.door.told)
        watched.stubs()["double"].kill()
        await watched.until(lambda: "This is a crash loop: server failed 3 times" in watched.door.reasons)
        assert not any(state.ready for state in watched.door.told[before:])
        assert metrics.REGISTRY.get_sample_value("triptych_ready") == 0
        (repository / "double" / "die").unlink()
        await watched.until(lambda: watched.door.told[-1].ready)
        assert await watched.ask() == 2.0


async def test_a_stop_while_the_server_is_being_started_anew_leaves_nothing(graph: Path, tmp_path: Path):
    async with supervised(graph, tmp_path / "work") as watched:
        folder = watched.server.metrics_socket.parent
        os.kill(watched.server.pid, signal.SIGKILL)
        await watched.until(lambda: not watched.door.told[-1].ready)
    assert watched.server.pid == 0
    assert not list(folder.parent.glob(f"{folder.name}*"))


@pytest.mark.server
async def test_steps_of_the_real_graph_are_back_with_the_same_answer(
    repository: Path, tmp_path: Path, short_clip: Path
):
    async with supervised(repository, tmp_path / "work", Patience()) as watched:
        assert watched.stubs().keys() == STEPS.keys()
        async with AsyncClient(watched.server.grpc_url) as client:
            expected = (await client.analyze(short_clip)).to_dict()
            for steps in (["whisper"], ["video_decode", "face_crop", "fusion"]):
                before, pid = len(watched.door.told), watched.server.pid
                for step in steps:
                    watched.stubs()[step].kill()
                await watched.mended(before)
                assert (await client.analyze(short_clip)).to_dict() == expected
                assert watched.server.pid == pid
