"""The folder and the shared memory that a server has for itself, and what becomes of those of dead owners."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from triptych.errors import TriptychError
from triptych.paths import ROOT
from triptych.serving import private
from triptych.serving.private import Private

OWNER = """
import sys
from pathlib import Path

from triptych.serving import private

private.SHARED_MEMORY = Path(sys.argv[1])
print(private.Private().name, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in the place of /dev/shm."""
    monkeypatch.setattr(private, "SHARED_MEMORY", tmp_path)
    return tmp_path


@pytest.fixture
def owner(shared: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", OWNER, shared]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def name_of(owner: subprocess.Popen[str]) -> str:
    assert owner.stdout
    return owner.stdout.readline().strip()


def test_what_a_living_owner_has_stays(shared: Path, owner: subprocess.Popen[str]):
    name = name_of(owner)
    (shared / f"{name}_region").touch()
    Private().close()
    assert {path.name for path in shared.iterdir()} == {name, f"{name}_region"}


def test_what_a_dead_owner_had_goes_and_nothing_else(shared: Path, owner: subprocess.Popen[str]):
    name = name_of(owner)
    for left in (f"{name}_region", "of-another-program", "triptych-file"):
        (shared / left).touch()
    (shared / name / "socket").touch()
    (shared / "triptych-folder-of-another-program").mkdir()
    owner.kill()
    owner.wait()
    mine = Private()
    others = {"of-another-program", "triptych-file", "triptych-folder-of-another-program"}
    assert {path.name for path in shared.iterdir()} == {mine.name, *others}


def test_two_of_one_process_do_not_take_each_other_for_dead(shared: Path):
    first, second = Private(), Private()
    assert {path.name for path in shared.iterdir()} == {first.name, second.name}
    first.close()
    assert [path.name for path in shared.iterdir()] == [second.name]
    second.close()


def test_emptied_it_keeps_its_links(shared: Path):
    mine = Private()
    (mine.folder / "models").symlink_to(shared)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(mine.folder / "grpc"))
    (shared / f"{mine.regions}x").touch()
    mine.empty()
    assert [path.name for path in mine.folder.iterdir()] == ["models"]
    assert not list(shared.glob(f"{mine.regions}*"))
    mine.close()


def test_no_shared_memory_is_told_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(private, "SHARED_MEMORY", tmp_path / "none")
    with pytest.raises(TriptychError, match=r"none cannot be written: No such file.*--shm-size"):
        Private()
