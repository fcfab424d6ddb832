"""What the whole test session shares: exported models, and one embedded Triton server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from export import catalog, fetch, runner
from triptych.server import CACHE, MODEL_REPOSITORY, EmbeddedServer


@pytest.fixture(scope="session")
def weights() -> Callable[[str], Path]:
    """The folder of a catalogue entry's files, downloaded at first use."""
    return lambda name: fetch.fetch(catalog.load()[name], CACHE)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The model repository with every default model exported."""
    defaults = {step: entry.name for step, entry in catalog.choose({}).items()}
    runner.export(MODEL_REPOSITORY, CACHE, defaults, report=lambda name, what: None)
    return MODEL_REPOSITORY


@pytest.fixture(scope="session")
def server(repository: Path) -> Iterator[EmbeddedServer]:
    """The one embedded Triton server of the session, with every model loaded."""
    with EmbeddedServer(repository) as running:
        yield running
