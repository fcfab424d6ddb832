"""Weights as files of wheels: from the folder where they were put by hand, or from the package index."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from export import fetch
from export.catalog import Entry, Packages, Wheel
from triptych.errors import TriptychError

FILE = "two_words-1.0-py3-none-any.whl"
METADATA = "Metadata-Version: 2.1\nName: two-words\nVersion: 1.0\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def make_wheel(folder: Path, left: bytes = b"left ") -> Path:
    """Write a wheel that pip takes, with a file of weights in two parts; who imports it fails."""
    files = {
        "two_words/a.part1": left,
        "two_words/a.part2": b"right",
        "two_words/__init__.py": b"raise SystemExit('imported')",
        "two_words-1.0.dist-info/METADATA": METADATA.encode(),
        "two_words-1.0.dist-info/WHEEL": WHEEL.encode(),
        "two_words-1.0.dist-info/RECORD": b"",
    }
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / FILE, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return folder / FILE


@pytest.fixture
def entry(tmp_path: Path) -> Entry:
    """The catalogue's entry of that wheel."""
    path = make_wheel(tmp_path / "original")
    wheel = Wheel("two-words==1.0", fetch.sha256(path), ("two_words/a.part1", "two_words/a.part2"))
    return Entry("two", "t", "MIT", wheel=(wheel,), join={"a": ["a.part1", "a.part2"]})


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No package index, as pip itself is told."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")


def index_of(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pip find the wheels of a folder only."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))


@pytest.mark.usefixtures("offline")
def test_a_wheel_that_was_put_there_by_hand_is_unpacked_as_data(tmp_path: Path, entry: Entry):
    make_wheel(tmp_path / "cache" / "wheels")
    folder = fetch.fetch(entry, tmp_path / "cache")
    assert (folder / "a").read_bytes() == b"left right"
    assert sorted(path.name for path in folder.iterdir()) == [fetch.COMPLETE, "a"]


def test_a_wheel_comes_from_the_index(tmp_path: Path, entry: Entry, monkeypatch: pytest.MonkeyPatch):
    index_of(tmp_path / "original", monkeypatch)
    folder = fetch.fetch(entry, tmp_path / "cache")
    assert (folder / "a").read_bytes() == b"left right"
    assert [path.name for path in (tmp_path / "cache" / "wheels").iterdir()] == [FILE]


def test_a_wrong_file_in_the_folder_gives_way_to_that_of_the_index(
    tmp_path: Path, entry: Entry, monkeypatch: pytest.MonkeyPatch
):
    make_wheel(tmp_path / "cache" / "wheels", left=b"wrong ")
    index_of(tmp_path / "original", monkeypatch)
    assert (fetch.fetch(entry, tmp_path / "cache") / "a").read_bytes() == b"left right"


@pytest.mark.usefixtures("offline")
def test_without_an_index_the_remedy_is_told(tmp_path: Path, entry: Entry):
    digest, wheels = entry.wheel[0].sha256, tmp_path / "cache" / "wheels"
    remedy = f"pip download --no-deps two-words==1.0`, compare its sha256 with {digest}, and put the file into {wheels}"
    with pytest.raises(TriptychError, match=r"cannot download two-words==1\.0 from the package index") as refused:
        fetch.fetch(entry, tmp_path / "cache")
    assert remedy in str(refused.value)
    make_wheel(wheels, left=b"wrong ")
    with pytest.raises(TriptychError, match=rf"The file {FILE} there is not it"):
        fetch.fetch(entry, tmp_path / "cache")


def test_a_wheel_of_the_index_that_is_not_the_catalogue_s_is_refused(
    tmp_path: Path, entry: Entry, monkeypatch: pytest.MonkeyPatch
):
    make_wheel(tmp_path / "index", left=b"wrong ")
    index_of(tmp_path / "index", monkeypatch)
    with pytest.raises(TriptychError, match=r"in the package index is not the one of the catalogue.*refused"):
        fetch.fetch(entry, tmp_path / "cache")
    assert not list((tmp_path / "cache" / "wheels").iterdir())
    assert not (tmp_path / "cache" / "two" / "a").exists()


@pytest.mark.usefixtures("offline")
def test_what_is_unpacked_is_not_unpacked_again(tmp_path: Path, entry: Entry):
    make_wheel(tmp_path / "cache" / "wheels")
    folder = fetch.fetch(entry, tmp_path / "cache")
    (tmp_path / "cache" / "wheels" / FILE).unlink()
    assert fetch.fetch(entry, tmp_path / "cache") == folder


@pytest.mark.usefixtures("offline")
def test_two_that_fetch_at_once_both_find_it_whole(tmp_path: Path, entry: Entry):
    make_wheel(tmp_path / "cache" / "wheels")
    found: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: found.append((fetch.fetch(entry, tmp_path / "cache") / "a").read_bytes()))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [b"left right"] * 4


SECOND = "other_name-2.0-py3-none-any.whl"


@pytest.fixture
def twice(tmp_path: Path, entry: Entry) -> Entry:
    """The same entry, whose file another package has too: whole, and under another name."""
    path = tmp_path / "second" / SECOND
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("other_name/whole.bin", b"left right")
        metadata = {
            "METADATA": METADATA.replace("two-words", "other-name").replace("1.0", "2.0"),
            "WHEEL": WHEEL,
            "RECORD": "",
        }
        for name, content in metadata.items():
            archive.writestr(f"other_name-2.0.dist-info/{name}", content)
    wheel = Wheel("other-name==2.0", fetch.sha256(path), ("other_name/whole.bin",))
    return replace(entry, second=(Packages((wheel,), {"a": ["whole.bin"]}),))


def test_what_the_index_lacks_comes_from_another_package(tmp_path: Path, twice: Entry, monkeypatch: pytest.MonkeyPatch):
    index_of(tmp_path / "second", monkeypatch)
    folder = fetch.fetch(twice, tmp_path / "cache")
    assert (folder / "a").read_bytes() == b"left right"
    assert sorted(path.name for path in folder.iterdir()) == [fetch.COMPLETE, "a"]
    (tmp_path / "second" / SECOND).unlink()
    assert fetch.fetch(twice, tmp_path / "cache") == folder


def test_the_first_package_is_preferred(tmp_path: Path, twice: Entry, monkeypatch: pytest.MonkeyPatch):
    make_wheel(tmp_path / "second")
    index_of(tmp_path / "second", monkeypatch)
    fetch.fetch(twice, tmp_path / "cache")
    assert [path.name for path in (tmp_path / "cache" / "wheels").iterdir()] == [FILE]


@pytest.mark.usefixtures("offline")
def test_a_second_package_that_lies_there_spares_asking_for_the_first(tmp_path: Path, twice: Entry):
    (tmp_path / "cache").mkdir()
    (tmp_path / "second").rename(tmp_path / "cache" / "wheels")
    assert (fetch.fetch(twice, tmp_path / "cache") / "a").read_bytes() == b"left right"


@pytest.mark.usefixtures("offline")
def test_where_neither_is_both_are_named(tmp_path: Path, twice: Entry):
    with pytest.raises(TriptychError, match=r"(?s)download two-words==1\.0 .*Nor is .*download other-name==2\.0 "):
        fetch.fetch(twice, tmp_path / "cache")


def test_sha256_of_a_file(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"x" * (fetch.BLOCK_BYTES + 1))
    assert fetch.sha256(tmp_path / "file") == hashlib.sha256(b"x" * (fetch.BLOCK_BYTES + 1)).hexdigest()
