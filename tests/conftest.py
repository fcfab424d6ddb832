"""What the whole test session shares: exported models, and one embedded Triton server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from export import catalog, fetch, runner
from samples.repositories import take_exports
from triptych.commands.demo import make_clip
from triptych.paths import BUILD, CACHE, MODEL_REPOSITORY
from triptych.serving import sources
from triptych.serving.service import Service
from triptych_client import Client

settings.register_profile("patient", deadline=None)  # a busy machine is no finding
settings.load_profile("patient")


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
    sources.lay_out(folder)
    defaults = {step: entry.name for step, entry in catalog.choose({}).items()}
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
    return make_clip()
