"""Orders to a running service: which one is meant, how it is asked, and what is said when it cannot be."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from triptych.errors import TriptychError
from triptych.serving import control, private
from triptych.serving.control import Swapped, application, ask_to_swap, find
from triptych.serving.embedded import MODELS
from triptych.serving.private import CONTROL, Private

Serve = Callable[[Path], Private]


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Makes what a service over a repository has in /dev/shm, whose place is taken by another folder."""
    monkeypatch.setattr(private, "SHARED_MEMORY", tmp_path)
    with socket.socket(socket.AF_UNIX) as one, socket.socket(socket.AF_UNIX) as other:
        free = iter((one, other))

        def begin(repository: Path) -> Private:
            owner = Private()
            (owner.folder / MODELS).symlink_to(repository)
            next(free).bind(str(owner.folder / CONTROL))
            return owner

        yield begin


def test_find(serve: Serve, tmp_path: Path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    owner = serve(one)
    serve(other)
    assert find(one) == owner.folder / CONTROL
    (tmp_path / "link").symlink_to(one)
    assert find(tmp_path / "link") == owner.folder / CONTROL


def test_two(serve: Serve, tmp_path: Path):
    for _ in range(2):
        serve(tmp_path / "one")
    with pytest.raises(TriptychError, match=r"2 servers of this user serve .*repository of its own"):
        find(tmp_path / "one")


def test_own(serve: Serve, tmp_path: Path):
    owner = serve(tmp_path / "one")
    with socket.socket(socket.AF_UNIX) as triton:
        triton.bind(str(owner.folder / "grpc"))
        owner.empty()
    assert sorted(path.name for path in owner.folder.iterdir()) == [CONTROL, MODELS]  # Triton starts anew, we go on
    owner.close()
    assert not owner.folder.exists()


@asynccontextmanager
async def listening(folder: Path, swap: control.Swap) -> AsyncIterator[Path]:
    runner = web.AppRunner(application(swap))
    await runner.setup()
    await web.UnixSite(runner, str(folder / "s")).start()
    yield folder / "s"
    await runner.cleanup()


async def test_ask(tmp_path: Path):
    asked = []

    async def swap(repository: Path, steps: Sequence[str]) -> str:
        asked.append((repository, steps))
        return "no"

    async with listening(tmp_path, swap) as path:
        outcome = await ask_to_swap(path, tmp_path, ("expression", "fusion"))
    assert asked == [(tmp_path, ["expression", "fusion"])]
    assert outcome == Swapped("no", outcome.seconds)
    assert outcome.seconds >= 0


async def test_fail(tmp_path: Path):
    async def swap(repository: Path, steps: Sequence[str]) -> str:
        raise ValueError("a flaw")

    async with listening(tmp_path, swap) as path:
        with pytest.raises(TriptychError, match="did not carry it out: 500"):
            await ask_to_swap(path, tmp_path, ())
    with pytest.raises(TriptychError, match="did not carry it out"):
        await ask_to_swap(path, tmp_path, ())
