"""Objects in stores: whole or not there, asked for again while a store fails, and one line when it goes on failing."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from samples.faulty_store import FaultyStore, faulty_store
from triptych_client.batch import manifest, stores
from triptych_client.batch.stores import Folder, Patience, StoreError


@pytest.fixture
def store() -> Iterator[type[FaultyStore]]:
    with faulty_store() as found:
        yield found


@pytest.fixture(params=["local", "faulty"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, store: type[FaultyStore]) -> Folder:
    return Folder(str(tmp_path / "out") if request.param == "local" else "faulty://bucket/out/", Patience(0))


def test_what_is_written_is_read_and_listed(folder: Folder):
    assert folder.read("a/one") is None
    assert folder.names("a") == []
    folder.write("a/two", b"2")
    folder.write("a/one", b"1")
    folder.write("a/one", b"11")
    assert folder.names("a") == ["one", "two"]
    assert folder.read("a/one") == b"11"
    folder.remove("a/one")
    folder.remove("a/one")
    assert folder.names("a") == ["two"]


def test_a_store_that_fails_for_a_while_is_asked_again_and_why_is_noted(store: type[FaultyStore]):
    store.faults += [OSError("503 Slow Down"), TimeoutError(), ConnectionError("reset")]
    notes: list[str] = []
    Folder("faulty://bucket", Patience(60, lambda seconds: None), notes.append).write("it", b"here")
    assert store.store["/bucket/it"].getvalue() == b"here"
    assert notes == [
        "the store does not answer as it should (OSError: 503 Slow Down)",
        "the store does not answer as it should (TimeoutError: TimeoutError)",
        "the store does not answer as it should (ConnectionError: reset)",
    ]


def test_patience_ends(store: type[FaultyStore]):
    store.faults += [OSError("503 Slow Down")] * 3
    with pytest.raises(StoreError, match=r"^faulty://bucket/it: .*503 Slow Down"):
        Folder("faulty://bucket", Patience(0)).write("it", b"here")
    assert len(store.faults) == 2


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError("Access Denied"), "the store lets nobody in with these credentials (Access Denied)"),
        (FileNotFoundError("bucket"), "there is nothing there"),
        (ImportError("Install s3fs to access S3"), "this kind of store needs another package: Install s3fs"),
    ],
)
def test_what_asking_again_does_not_mend_is_told_at_once(store: type[FaultyStore], error: Exception, said: str):
    store.faults += [error, error]
    with pytest.raises(StoreError) as told:
        Folder("faulty://bucket", Patience(600)).write("it", b"")
    assert told.value.reason.startswith(said)
    assert len(store.faults) == 1


def test_a_copy_of_an_object_lives_as_long_as_the_block(store: type[FaultyStore]):
    Folder("faulty://bucket", Patience(0)).write("deep/film.MOV", b"film")
    with stores.local("faulty://bucket/deep/film.MOV", Patience(0), stores.silent) as path:
        assert (path.read_bytes(), path.suffix) == (b"film", ".MOV")
    assert not path.exists()


def test_a_file_of_this_machine_is_not_copied(tmp_path: Path):
    (tmp_path / "a b.mp4").write_bytes(b"film")
    for url in (str(tmp_path / "a b.mp4"), (tmp_path / "a b.mp4").as_uri().replace("%20", " ")):
        with stores.local(url, Patience(0), stores.silent) as path:
            assert path == tmp_path / "a b.mp4"


@pytest.fixture
def website(tmp_path: Path) -> Iterator[str]:
    """The address of a web server that gives the files of a folder."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_manifest_and_clips_of_a_web_server(website: str, tmp_path: Path):
    (tmp_path / "film.mp4").write_bytes(b"film")
    (tmp_path / "clips.csv").write_text("path\nfilm.mp4\ngone.mp4\n")
    film, gone = manifest.read(f"{website}/clips.csv", "path", Patience(0)).clips
    with stores.local(film, Patience(0), stores.silent) as path:
        assert path.read_bytes() == b"film"
    with pytest.raises(StoreError, match="there is nothing there"), stores.local(gone, Patience(0), stores.silent):
        pass


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError) as told:
        Folder(str(tmp_path / "file"), Patience(0)).write("it", b"")
    assert "\n" not in str(told.value)
