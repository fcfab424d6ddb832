"""The reader of CTranslate2's container, on containers written here and on that of the catalogue."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from networks.formats import ctranslate2
from triptych.errors import TriptychError

VARIABLES = {
    "encoder/weight": np.arange(6, dtype="<f2").reshape(2, 3),
    "encoder/heads": np.array(8, "<i2"),
    "empty": np.zeros((0, 4), "<f4"),
}
NUMBERS = {np.dtype("<f4"): 0, np.dtype("<i2"): 2, np.dtype("<f2"): 4}
any_path = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)


def string(text: str) -> bytes:
    return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"


def variable(name: str, array: np.ndarray) -> bytes:
    head = struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape)
    return string(name) + head + struct.pack("<BI", NUMBERS[array.dtype], array.nbytes) + array.tobytes()


def container(version: int = ctranslate2.BINARY_VERSION) -> bytes:
    head = struct.pack("<I", version) + string("WhisperSpec") + struct.pack("<II", 3, len(VARIABLES))
    aliases = struct.pack("<I", 1) + string("decoder/tied") + string("encoder/weight")
    return head + b"".join(variable(*item) for item in VARIABLES.items()) + aliases


def test_what_was_written_is_read(tmp_path):
    (tmp_path / "model.bin").write_bytes(container())
    read = ctranslate2.read(tmp_path / "model.bin")
    assert (read.specification, read.revision) == ("WhisperSpec", 3)
    assert list(read.variables) == [*VARIABLES, "decoder/tied"]
    for name, array in VARIABLES.items():
        assert read.variables[name].dtype == array.dtype
        np.testing.assert_array_equal(read.variables[name], array)
    assert read.variables["decoder/tied"] is read.variables["encoder/weight"]


def test_another_version_is_refused(tmp_path):
    (tmp_path / "model.bin").write_bytes(container(version=2))
    with pytest.raises(TriptychError, match="binary version 2"):
        ctranslate2.read(tmp_path / "model.bin")


@any_path
@given(st.integers(0, len(container()) - 1))
def test_a_cut_file_is_refused_by_name(tmp_path, size):
    (tmp_path / "model.bin").write_bytes(container()[:size])
    with pytest.raises(TriptychError, match=r"model\.bin is damaged"):
        ctranslate2.read(tmp_path / "model.bin")


@any_path
@given(st.integers(0, len(container()) - 1), st.integers(0, 255))
def test_a_changed_byte_is_read_or_refused(tmp_path, place, value):
    data = bytearray(container())
    data[place] = value
    (tmp_path / "model.bin").write_bytes(data)
    try:
        read = ctranslate2.read(tmp_path / "model.bin")
    except TriptychError:
        return
    assert all(isinstance(array, np.ndarray) for array in read.variables.values())


def test_the_container_of_the_catalogue(weights):
    read = ctranslate2.read(weights("whisper-base") / "model.bin")
    assert read.specification == "WhisperSpec"
    assert read.variables["decoder/embeddings/weight"].shape == (51865, 512)
    assert all(np.isfinite(array).all() for array in read.variables.values())
