"""What the whole test session shares: exported models, and one embedded Triton server."""

from __future__ import annotations

import ast
import gc
import os
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings

from benchmarks import load
from export import catalog, fetch, runner
from samples.repositories import take_exports
from triptych.commands.demo import make_clip
from triptych.paths import BUILD, CACHE, MODEL_REPOSITORY
from triptych.serving import sources
from triptych.serving.service import Service
from triptych_client import Client

settings.register_profile("patient", deadline=None)  # a busy machine is no finding
settings.load_profile("patient")

ONE = "server"
"""What the files whose tests ask for the session's server are together: one process has them all."""
ORDER = (ONE, "tests/unit/training/", "tests/unit/networks/", "tests/server/", "tests/")
"""What begins first where two processes divide the tests: the longest; what needs few exported models or none, while
the other process exports them; and at the end short files, so that both end together."""


@cache
def part_of(file: str) -> str:
    """Return what a file is divided by: itself, or ONE."""
    path = Path(__file__).parents[1] / file
    if path.parent.name != "server":
        return file
    body = ast.parse(path.read_text(encoding="utf-8")).body
    functions = [node for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    asking = [one for one in functions if one.name.startswith("test_") or one.decorator_list]
    asked = {given.arg for one in asking for given in one.args.args} - {one.name for one in functions}
    return ONE if asked & {"server", "client"} else file


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of a process that has a share of them into ORDER; its share of two cores is one."""
    if os.environ.get("PYTEST_XDIST_WORKER"):
        items.sort(key=lambda item: next(n for n, one in enumerate(ORDER) if part_of(item.location[0]).startswith(one)))
        if torch := sys.modules.get("torch"):
            torch.set_num_threads(1)


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over what was imported, which stays: a tenth of the time of an export."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Divide the tests by file for `pytest --numprocesses 2`: what a module shares is made once.

    xdist's own `--dist loadgroup`, which could do it, groups nothing with pytest 9.2.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return part_of(nodeid.partition("::")[0])

    config.option.loadscopereorder = False  # they come in ORDER
    return ByFile(config, log)


def alone(what: str) -> FileLock:
    """Let one of the test processes at a time make what they share on the disk: the second finds it made."""
    (BUILD / "tests").mkdir(parents=True, exist_ok=True)
    return FileLock(BUILD / "tests" / f".{what}.lock")


@pytest.fixture(scope="session")
def weights() -> Callable[[str], Path]:
    """The folder of a catalogue entry's files, downloaded at first use."""
    return lambda name: fetch.fetch(catalog.load()[name], CACHE)


@pytest.fixture(scope="session")
def repository() -> Path:
    """A model repository with every default model exported.

    It is the tests' own, kept from session to session; the developer's, with what was set there, is only read.
    """
    folder = BUILD / "tests" / "model_repository"
    defaults = {step: entry.name for step, entry in catalog.choose({}).items()}
    with alone("repository"):
        sources.lay_out(folder)
        take_exports(MODEL_REPOSITORY, folder, defaults)
        runner.export(folder, CACHE, defaults, report=lambda name, what: None)
    return folder


@pytest.fixture(scope="session")
def server(repository: Path) -> Iterator[Service]:
    """`triptych serve` with every model, the one of the session: the embedded Triton behind the door.

    More clips at once than is good on a CPU: so that a test finds their rows in one execution. It takes clips from
    memory of clients, for those that ask.
    """
    with Service(repository, arguments=["--in-flight=12", "--client-shared-memory"]) as running:
        yield running


@pytest.fixture(scope="session")
def client(server: Service) -> Iterator[Client]:
    """A client of the session's server."""
    with Client(server.grpc_url) as connected:
        yield connected


@pytest.fixture(scope="session")
def demo_clip() -> Path:
    """The demo clip: one face, three spoken lines, 20 s."""
    with alone("demo_clip"):
        return make_clip()


@pytest.fixture(scope="session")
def short_clip(demo_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The beginning of the demo clip, one line long: every channel has something to go by, and it takes a third."""
    path = tmp_path_factory.mktemp("short") / "short.mp4"
    path.write_bytes(load.short_clip(5.0))
    return path
