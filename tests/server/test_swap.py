"""Another model in a slot while clips are answered: exchanged, tried by a canary, and taken back where that fails."""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
import tritonclient.grpc.aio as triton
from typer import Typer
from typer.testing import CliRunner

from benchmarks.load import short_clip
from export import catalog, manifest
from export.stamp import Stamp
from samples.swapping import swapped
from samples.toy_graph import ToyGraph
from triptych.commands.swap import swap
from triptych.errors import TriptychError
from triptych.serving import control
from triptych.serving.door.admission import Bounds
from triptych.serving.host import Address, free_port
from triptych.serving.run import Serving, Settings, running
from triptych.serving.service import Service
from triptych_client import Analysis, Client

ONE_MORE = 'pb_utils.Tensor("SIZE", size + 1)'
FAILS = "pb_utils.Tensor(no_such_name, size)"
NEVER_LOADS = "    def execute(self, requests):\n        this is no Python\n"
STEP = "voice_emotion"
CATALOG = f"""
[lost-voice]
step = "{STEP}"
role = "voice"
title = "a voice model whose answers are no numbers"
licence = "MIT"
network = "lost_voice:load"
"""
LOST_VOICE = f"""
import numpy as np
from onnx import numpy_helper

from export import vacant
from triptych_client.contract import STEPS


def load():
    graph = vacant.build(STEPS["{STEP}"])
    nothing = numpy_helper.from_array(np.full(1, np.nan, np.float32))
    for node in graph.node:
        if node.op_type == "ConstantOfShape":
            node.attribute[0].t.CopyFrom(nothing)
    return {{"model.onnx": graph}}
"""


def two_at_once(graph: ToyGraph) -> ToyGraph:
    """Let the first step take a canary while a clip waits in it."""
    config = graph.root / "waits" / "config.pbtxt"
    config.write_text(config.read_text(encoding="utf-8").replace("count: 1", "count: 2"), encoding="utf-8")
    return graph


def other(root: Path, answer: str) -> Path:
    """The toy graph, whose last step answers something else."""
    step = ToyGraph(root).root / "notes" / "1" / "model.py"
    told = step.read_text(encoding="utf-8").replace('pb_utils.Tensor("SIZE", size)', answer)
    step.write_text(told + (answer if answer == NEVER_LOADS else ""), encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> ToyGraph:
    return two_at_once(ToyGraph(tmp_path_factory.mktemp("models")))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def serving(graph: ToyGraph, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Serving]:
    door, page = Address("127.0.0.1", free_port()), Address("127.0.0.1", free_port())
    work, bounds = tmp_path_factory.mktemp("work"), Bounds(in_flight=3)
    async with running(Settings(door=door, web=page, repository=graph.root, work=work, bounds=bounds)) as service:
        yield service


async def size(serving: Serving, clip: bytes) -> int:
    """Ask the door how large a clip is."""
    async with triton.InferenceServerClient(str(serving.settings.door)) as client:
        video = triton.InferInput("VIDEO", [len(clip)], "UINT8")
        video.set_data_from_numpy(np.frombuffer(clip, np.uint8))
        answer = await client.infer("emotion", [video])
        return int(answer.as_numpy("SIZE")[0])


async def exchanged(graph: ToyGraph, repository: Path) -> str:
    return (await control.ask_to_swap(control.find(graph.root), repository, ["notes"])).reason


async def test_a_clip_that_is_inside_is_answered_by_the_step_that_it_began_with(
    serving: Serving, graph: ToyGraph, tmp_path: Path
):
    graph.hold()
    inside = asyncio.ensure_future(size(serving, b"wait"))
    while "wait" not in graph.began():
        await asyncio.sleep(0.01)
    assert await exchanged(graph, other(tmp_path / "other", ONE_MORE)) == ""
    assert await size(serving, b"clip") == 5
    graph.go()
    assert await inside == 4
    os.utime(graph.root / "notes" / "1")
    assert await exchanged(graph, graph.root) == ""
    assert await size(serving, b"clip") == 4


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(FAILS, "emotion answers a good clip with: .*no_such_name"), (NEVER_LOADS, "cannot be loaded")],
)
async def test_clips_go_on_being_answered_when_it_is_taken_back(
    serving: Serving, graph: ToyGraph, tmp_path: Path, answer: str, reason: str
):
    answered = []
    told = asyncio.Event()

    async def caller() -> None:
        while not told.is_set():
            answered.append(await size(serving, b"clip"))

    calling = asyncio.ensure_future(caller())
    said = await exchanged(graph, other(tmp_path / "other", answer))
    told.set()
    await calling
    assert re.search(reason, said), said
    assert set(answered) == {4}
    assert await size(serving, b"clip") == 4
    assert serving.gate.state.ready


def test_a_repository_that_nobody_serves_is_named(tmp_path: Path):
    with pytest.raises(TriptychError, match=r"no `triptych serve` of this user serves .*triptych export --set"):
        control.find(tmp_path)


@pytest.fixture(scope="module")
def served(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A server of every model over a repository of its own, which is exchanged."""
    with swapped(repository, {}) as folder:
        work = tmp_path_factory.mktemp("work")
        with Service(folder, work=work, arguments=["--waiting=50"]) as service:
            yield folder, service.grpc_url


@contextmanager
def traffic(url: str, clip: bytes) -> Iterator[list[Analysis]]:
    """Let two callers ask for a clip again and again as long as the block; give the answers, of which none may fail."""
    answers: list[Analysis] = []
    errors: list[Exception] = []
    over = threading.Event()

    def caller() -> None:
        with Client(url) as client:
            while not over.is_set():
                try:
                    answers.append(client.analyze(clip))
                except Exception as error:
                    errors.append(error)

    callers = [threading.Thread(target=caller) for _ in range(2)]
    for thread in callers:
        thread.start()
    try:
        yield answers
    finally:
        over.set()
        for thread in callers:
            thread.join(120)
    assert errors == []


def run(repository: Path, *choices: str) -> str:
    """Run `triptych swap`; return what it prints, raise what it raises."""
    app = Typer()
    app.command()(swap)
    result = CliRunner().invoke(app, [*choices, f"--repository={repository}"])
    if result.exception is not None:
        raise result.exception
    return result.output


def voice(answer: Analysis) -> tuple[str, str]:
    """Return which model the voice has in an answer, "" for none, and why the channel is as it is."""
    return answer.models["voice"].name if "voice" in answer.models else "", answer.channels["voice"].reason_code


@pytest.mark.server
def test_a_model_is_exchanged_and_taken_back_while_clips_are_answered(served: tuple[Path, str]):
    repository, url = served
    clip = short_clip()
    with Client(url) as client:
        before = client.analyze(clip)
    with traffic(url, clip) as answers:
        assert f"Exchanged {STEP}, fusion" in run(repository, "voice=no-voice")
        with Client(url) as client:
            between = client.analyze(clip)
        assert manifest.faults(repository) == []
        assert Stamp.read(repository / STEP / "1").entry == "no-voice"
        run(repository, f"voice={before.models['voice'].name}")
        assert "has that already" in run(repository, f"voice={before.models['voice'].name}")
    with Client(url) as client:
        assert client.analyze(clip).to_dict() == before.to_dict()
    assert voice(between) == ("", "no_model")
    assert voice(before)[1] == ""
    assert {voice(answer) for answer in answers} == {voice(before), voice(between)}  # no clip met a part of each


@pytest.mark.server
def test_a_model_whose_canary_fails_is_taken_back_by_itself(
    served: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    repository, url = served
    clip = short_clip()
    (tmp_path / "catalog.toml").write_text(CATALOG, encoding="utf-8")
    (tmp_path / "lost_voice.py").write_text(LOST_VOICE, encoding="utf-8")
    monkeypatch.setenv(catalog.OWN, str(tmp_path / "catalog.toml"))
    monkeypatch.syspath_prepend(tmp_path)
    catalog.load.cache_clear()
    stamp = Stamp.read(repository / STEP / "1")
    with Client(url) as client:
        before = client.analyze(clip)
    try:
        with traffic(url, clip) as answers, pytest.raises(TriptychError, match=f"{STEP} .*what is no number"):
            run(repository, "voice=lost-voice")
    finally:
        catalog.load.cache_clear()
    with Client(url) as client:
        assert client.analyze(clip).to_dict() == before.to_dict()
    assert {voice(answer) for answer in answers} == {voice(before)}
    assert Stamp.read(repository / STEP / "1") == stamp
