"""Recordings and what was said in them, in the layouts that the word error rate is counted on."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import transcribed, whisper_wer
from benchmarks.whisper_wer import OURS, Heard
from triptych.errors import TriptychError


def librispeech(folder: Path) -> Path:
    """Write a tiny test-clean: two chapters of a speaker, one of another."""
    said = {"61/70968": ["HE BEGAN A CONFUSED COMPLAINT", "GIVE NOT"], "61/70970": ["YOUNG"], "121/121726": ["ALSO A"]}
    for chapter, lines in said.items():
        place = folder / "test-clean" / chapter
        place.mkdir(parents=True)
        names = [f"{chapter.replace('/', '-')}-{number:04}" for number in range(len(lines))]
        for name in names:
            (place / f"{name}.flac").write_bytes(b"fLaC")
        table = "".join(f"{name} {line}\n" for name, line in zip(names, lines, strict=True))
        (place / f"{chapter.replace('/', '-')}.trans.txt").write_text(table, encoding="utf-8")
    return folder


def test_a_split_of_librispeech_is_read(tmp_path: Path):
    (found,) = transcribed.of_librispeech(librispeech(tmp_path), ["test-clean"]).values()
    assert {(one.path.relative_to(tmp_path).as_posix(), one.words) for one in found} == {
        ("test-clean/61/70968/61-70968-0000.flac", "HE BEGAN A CONFUSED COMPLAINT"),
        ("test-clean/61/70968/61-70968-0001.flac", "GIVE NOT"),
        ("test-clean/61/70970/61-70970-0000.flac", "YOUNG"),
        ("test-clean/121/121726/121-121726-0000.flac", "ALSO A"),
    }
    assert all(one.language == "en" and one.asked for one in found)


@pytest.mark.parametrize(("most", "speakers"), [(1, 1), (2, 2), (4, 2), (9, 2)])
def test_some_of_a_split_are_taken_evenly(tmp_path: Path, most: int, speakers: int):
    found = transcribed.of_librispeech(librispeech(tmp_path), ["test-clean"], most)["test-clean"]
    assert len(found) == min(most, 4)
    assert len({one.path.parts[-3] for one in found}) == speakers
    assert len({one.path for one in found}) == len(found)


def test_what_is_not_there_is_said(tmp_path: Path):
    librispeech(tmp_path)
    with pytest.raises(TriptychError, match=r"no test-other/.*unpack test-other.tar.gz"):
        transcribed.of_librispeech(tmp_path, ["test-clean", "test-other"])
    (tmp_path / "test-clean" / "61" / "70970" / "61-70970-0000.flac").unlink()
    with pytest.raises(TriptychError, match=r"61-70970-0000.flac is missing.*unpack test-clean again"):
        transcribed.of_librispeech(tmp_path, ["test-clean"])
    with pytest.raises(TriptychError, match=r"asr/manifest.csv"):
        transcribed.of_table(tmp_path)


def test_words_are_counted_over_all_recordings_of_a_split():
    heard = [
        Heard("a", "en", "he began a complaint", {OURS: "he began a complaint", "x": "he began"}, {"x": False}),
        Heard("b", "en", "give not", {OURS: "give knot", "x": "give not"}, {"x": True}),
    ]
    page = whisper_wer.by_split({"test-clean": heard})
    assert "| test-clean | 2 | 16.7 % | 33.3 % | 1 of 2 |" in " ".join(page.split())
    assert whisper_wer.percent(heard[:1], "x") == "50.0 %"


@pytest.mark.parametrize(
    ("options", "words"),
    [({}, "by --data, or by --librispeech"), ({"data": Path("x"), "rival": ["kaldi"]}, "no rival kaldi")],
)
def test_what_cannot_be_measured_is_refused(options: dict, words: str):
    with pytest.raises(TriptychError, match=words):
        whisper_wer.main(**options)
