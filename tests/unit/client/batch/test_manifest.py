"""Which clips a manifest names, and what is said of one that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from samples.faulty_store import faulty_store
from triptych_client.batch import manifest
from triptych_client.batch.manifest import ManifestError
from triptych_client.batch.stores import Patience, StoreError

ONCE = Patience(0)


def read(path: Path | str, column: str = "path") -> tuple[str, ...]:
    return manifest.read(str(path), column, ONCE).clips


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["clips.txt", "clips.lst", "clips"])
def test_a_listing_has_a_clip_a_line(tmp_path: Path, name: str):
    listing = write(tmp_path / name, "\ufeffone.mp4\r\n\n  s3://films/two three.mov \n/abs/four.mkv\n")
    assert read(listing) == (f"{tmp_path}/one.mp4", "s3://films/two three.mov", "/abs/four.mkv")


def test_a_table_has_a_column_of_clips(tmp_path: Path):
    table = pa.table({"id": [1, 2], "video": ["один.mp4", "https://host/two.mp4"]})
    pq.write_table(table, tmp_path / "clips.parquet")
    wanted = (f"{tmp_path}/один.mp4", "https://host/two.mp4")
    assert read(tmp_path / "clips.parquet", "video") == wanted
    assert read(write(tmp_path / "clips.csv", "id,video\n1,один.mp4\n2,https://host/two.mp4\n"), "video") == wanted


def test_a_folder_is_its_media_files(tmp_path: Path):
    for name in ("b.mp4", "deep/a.MOV", "notes.txt", ".hidden.mp4", "_private/c.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert read(tmp_path) == (f"{tmp_path}/b.mp4", f"{tmp_path}/deep/a.MOV")
    assert read(f"{tmp_path}/") == (f"{tmp_path}/b.mp4", f"{tmp_path}/deep/a.MOV")


def test_a_folder_of_tables_is_a_table_as_dead_letters_are(tmp_path: Path):
    pq.write_table(pa.table({"path": ["/a.mp4"]}), tmp_path / "part-0.parquet")
    pq.write_table(pa.table({"path": ["/b.mp4"]}), tmp_path / "part-1.parquet")
    assert read(tmp_path) == ("/a.mp4", "/b.mp4")


def test_a_clip_that_is_named_again_is_one_clip(tmp_path: Path):
    told = manifest.read(str(write(tmp_path / "it.txt", "/a\n/b\n/a\n/a\n")), "path", ONCE)
    assert (told.clips, told.repeated) == (("/a", "/b"), 2)


def test_the_digest_is_of_the_clips_in_their_order(tmp_path: Path):
    first, second = (
        manifest.read(str(write(tmp_path / f"{number}.txt", text)), "path", ONCE).digest
        for number, text in enumerate(["/a\n/b\n", "/b\n/a\n"])
    )
    assert first != second
    assert first == manifest.read(str(write(tmp_path / "same.csv", "path\n/a\n/b\n")), "path", ONCE).digest


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "it.csv",
            b"file,label\na.mp4,x\n",
            "it has no column 'path' but file, label; name the one with the clips by --column",
        ),
        ("it.csv", b'path\n""\n', "row 0 has '' in the column 'path', where a path or URL belongs"),
        ("it.parquet", b"PAR1 this is none", "this is no Parquet file"),
        ("it.txt", b"\n \n", "it names no clip"),
        ("it.txt", b"\x00\xff\xfe", "it is no text in UTF-8"),
    ],
)
def test_what_is_no_manifest_is_one_line(tmp_path: Path, name: str, content: bytes, said: str):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ManifestError) as error:
        read(tmp_path / name)
    assert str(error.value).startswith(f"{tmp_path / name}: {said}")
    assert "\n" not in str(error.value)


def test_cells_that_are_no_texts_are_told_with_their_row(tmp_path: Path):
    pq.write_table(pa.table({"path": pa.array([1, 2])}), tmp_path / "it.parquet")
    with pytest.raises(ManifestError, match="row 0 has 1 in the column 'path'"):
        read(tmp_path / "it.parquet")


def test_a_manifest_that_is_not_there_and_a_folder_without_clips(tmp_path: Path):
    with pytest.raises(ManifestError, match="there is no such manifest"):
        read(tmp_path / "none.csv")
    with pytest.raises(ManifestError, match="there is no media file in this folder"):
        read(tmp_path)


def test_a_store_that_is_not_known_or_lets_nobody_in():
    with pytest.raises(StoreError, match="no store is known by that beginning"):
        read("ftpx://host/clips.txt")
    with faulty_store() as store:
        store().pipe_file("/films/one.parquet", b"")
        store.faults.append(PermissionError("Forbidden"))
        with pytest.raises(StoreError, match="credentials"):
            read("faulty://films")
