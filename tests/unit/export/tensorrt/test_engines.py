"""Building the engines of a repository: resumable, each whole or not at all, and refused before anything is done.

TensorRT stands in as a function that takes what TensorRT would: tests/engines builds by TensorRT-RTX itself.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnx
import pytest

from export.tensorrt import build, engines
from export.tensorrt.shapes import SHAPES
from triptych.errors import TriptychError
from triptych.serving import cuda
from triptych.serving.cuda import Gpu
from triptych.serving.engines import PLAN, Engine, Host, Precision

HOST = Host(Gpu("NVIDIA L4", (8, 9)), "10.13.3")


class Building:
    """What builds engines: notes of which steps, and fails at the one that it is told to."""

    def __init__(self) -> None:
        self.built: list[str] = []
        self.failing = ""

    def __call__(self, library: Any, model: onnx.ModelProto, step: Any, shapes: Any, target: build.Target) -> bytes:
        if step.name == self.failing:
            raise TriptychError(f"TensorRT cannot build {step.name}: it is late")
        self.built.append(step.name)
        return f"plan of {step.name}, {len(model.SerializeToString())} bytes".encode()


@pytest.fixture
def served(repository: Path, tmp_path: Path) -> Path:
    """A repository with the graphs that engines are built from."""
    folder = tmp_path / "model_repository"
    for step, shapes in SHAPES.items():
        (folder / step / "1").mkdir(parents=True)
        shutil.copy(repository / step / "1" / shapes.graph, folder / step / "1")
    return folder


def write(repository: Path, building: Building, precision: Precision = Precision.FP16, host: Host = HOST) -> list[str]:
    """Build what is due, and return for which steps that was."""
    before = len(building.built)
    engines.write(repository, repository.parent, (None, host), precision, lambda step, doing: None, building)
    return building.built[before:]


def test_what_is_up_to_date_stays(served: Path):
    building = Building()
    assert write(served, building) == list(SHAPES)
    assert write(served, building) == []
    assert write(served, building, Precision.FP32) == list(SHAPES)
    assert write(served, building, Precision.FP32, Host(HOST.gpu, "10.14.1")) == list(SHAPES)
    (served / "expression" / "1" / PLAN).unlink()
    assert write(served, building, Precision.FP32, Host(HOST.gpu, "10.14.1")) == ["expression"]


def test_a_build_that_fails_keeps_what_is_there_and_is_resumed(served: Path):
    building = Building()
    write(served, building)
    building.failing = "expression"
    with pytest.raises(TriptychError, match="cannot build expression"):
        write(served, building, Precision.BF16)
    kept = {step: Engine.read(served / step / "1") for step in SHAPES}
    assert {step: engine and engine.precision for step, engine in kept.items()} == {
        "face_detector": "bf16",
        "expression": "fp16",
        "sound_tagger": "fp16",
    }
    assert all((served / step / "1" / PLAN).is_file() for step in SHAPES)
    building.failing = ""
    assert write(served, building, Precision.BF16) == ["expression", "sound_tagger"]
    assert not list(served.glob("*/1/*.part"))


def test_another_graph_makes_an_engine_stale(served: Path):
    building = Building()
    write(served, building)
    path = served / "sound_tagger" / "1" / "model.onnx"
    model = onnx.load(path)
    model.graph.doc_string = "another"
    onnx.save(model, path)
    assert write(served, building) == ["sound_tagger"]


def test_without_tensorrt_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(build, "TENSORRT", "a_module_that_is_not_there")
    with pytest.raises(TriptychError, match=r"TensorRT's Python package is missing .*install `tensorrt`"):
        engines.require()


def test_without_a_gpu_it_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(build, "import_module", lambda name: SimpleNamespace(__version__="10.13.3.9"))
    monkeypatch.setattr(cuda, "gpu", lambda: None)
    with pytest.raises(TriptychError, match="CUDA sees none here"):
        engines.require()
    monkeypatch.setattr(cuda, "gpu", lambda: HOST.gpu)
    assert engines.require()[1] == HOST


def test_an_old_tensorrt_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(build, "import_module", lambda name: SimpleNamespace(__version__="8.6.1"))
    with pytest.raises(TriptychError, match=r"TensorRT 8\.6\.1 is too old"):
        build.load()
