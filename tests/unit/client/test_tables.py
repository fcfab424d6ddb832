"""Tables: CSV for spreadsheets, Parquet, and data frames."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from samples import client as samples
from triptych.paths import ROOT
from triptych_client import InvalidRequest, TriptychClientError, formats, tables
from triptych_client.archive import parquet
from triptych_client.formats import Failed

ANSWERS = [samples.analysis(), samples.nothing(), Failed("bad\udce9.mp4", "the clip is empty")]


@pytest.mark.parametrize("cell", ["=1+1", "+7", "-2", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_is_a_formula(cell: str):
    (row,) = csv.DictReader(io.StringIO("".join(formats.csv_rows([Failed(cell, cell)])), newline=""))
    assert row["path"] == row["error"] == "'" + cell.replace("\r", "\n")


def test_numbers_and_words_stay_as_they_are():
    rows = list(csv.DictReader(io.StringIO("".join(formats.csv_rows(ANSWERS[:1])))))
    assert (rows[0]["confidence"], rows[0]["path"], rows[0]["error"]) == ("0.341", samples.PATH, "")


def test_failed_clips_are_rows():
    rows = list(csv.DictReader(io.StringIO("".join(formats.csv_rows(ANSWERS, bom=True)).removeprefix("\ufeff"))))
    assert rows[2]["error"] == "the clip is empty"
    assert {value for name, value in rows[2].items() if name not in ("path", "error")} == {""}


def test_parquet_has_a_row_a_clip_and_a_row_a_window(tmp_path: Path):
    parquet.write(ANSWERS, tmp_path)
    by_clip, by_window = pq.read_table(tmp_path / parquet.CLIPS), pq.read_table(tmp_path / parquet.WINDOWS)
    assert by_clip.column_names == list(formats.CSV_COLUMNS)
    assert by_clip["path"].to_pylist() == [samples.PATH, samples.PATH, "bad\\udce9.mp4"]
    assert by_clip["error"].to_pylist() == [None, None, "the clip is empty"]
    assert by_window.column_names == list(tables.WINDOW_COLUMNS)
    assert by_window.num_rows == 5 + 1
    first, unknown = by_window.to_pylist()[0], by_window.to_pylist()[3]
    assert (first["start_s"], first["end_s"], first["label"], first["sadness"]) == (0.0, 2.0, "sadness", 0.341)
    assert (first["face_sadness"], first["sound_sadness"]) == (0.341, None)
    assert (unknown["label"], unknown["confidence"], unknown["anger"]) == (None, None, None)
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".parquet"]


def test_columns_have_the_types_that_the_docs_say():
    kinds = {field.name: field.type for field in parquet.schema((*formats.CSV_COLUMNS, *tables.WINDOW_COLUMNS))}
    assert (kinds["path"], kinds["face_status"], kinds["voice_label"], kinds["error"]) == (pa.string(),) * 4
    assert (kinds["abstained"], kinds["faces"]) == (pa.bool_(), pa.int64())
    assert (kinds["duration_s"], kinds["face_weight"], kinds["words_anger"]) == (pa.float64(),) * 3


def test_the_docs_name_every_column():
    text = (ROOT / "docs" / "archive.md").read_text(encoding="utf-8")
    for column in (*formats.CSV_COLUMNS, *tables.WINDOW_COLUMNS):
        channel, _, rest = column.partition("_")
        general = f"<channel>_{'<emotion>' if rest in samples.EMOTIONS else rest}"
        named = general if channel in ("face", "sound", "voice", "words") and rest else column
        assert f"`{named}`" in text or (column in samples.EMOTIONS and "`<emotion>`" in text), column


def test_rows_are_written_group_by_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(parquet, "GROUP_ROWS", 4)
    parquet.write(ANSWERS * 2, tmp_path)
    assert pq.ParquetFile(tmp_path / parquet.WINDOWS).num_row_groups > 1


def test_without_pyarrow_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(TriptychClientError, match="pip install pyarrow"):
        parquet.check()


def test_a_frame_of_pandas_or_polars():
    one, other = samples.analysis().to_frame("pandas"), samples.analysis().to_frame("polars")
    assert isinstance(one, pd.DataFrame)
    assert isinstance(other, pl.DataFrame)
    assert list(one.columns) == other.columns == list(tables.WINDOW_COLUMNS)
    assert one["sadness"].tolist()[:2] == other["sadness"].to_list()[:2] == [0.341, 0.341]
    assert one["label"].isna().tolist() == other["label"].is_null().to_list() == [False, False, False, True, False]
    assert isinstance(samples.analysis().to_frame(), pd.DataFrame)


def test_without_either_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tables, "find_spec", lambda name: None)
    with pytest.raises(InvalidRequest, match="needs pandas or polars, which is not installed"):
        samples.analysis().to_frame()
    with pytest.raises(InvalidRequest, match="is one of pandas or polars"):
        samples.analysis().to_frame("excel")
