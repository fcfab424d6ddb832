"""Engines by name: what they are called, how they are put in place, and which are refused."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from triptych.errors import TriptychError
from triptych.serving import cuda, engines
from triptych.serving.cuda import Gpu
from triptych.serving.engines import PLAN, STAMP, Engine, Host, step_fault, tensorrt_version

L4 = Gpu("NVIDIA L4", (8, 9))
HOST = Host(L4, "10.13.3")
GRAPH = b"a graph"
ENGINE = Engine(L4.name, L4.capability, HOST.tensorrt, "fp16", "model.onnx", hashlib.sha256(GRAPH).hexdigest(), "a1")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The version folder of a step with an engine for an L4."""
    folder = tmp_path / "expression" / "1"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(GRAPH)
    ENGINE.install(b"a plan", folder)
    return folder


def fault(folder: Path, host: Host = HOST) -> str:
    return step_fault("expression", folder, host)


def test_a_plan_bears_the_names_of_its_gpu_and_of_tensorrt(folder: Path):
    assert ENGINE.file == "NVIDIA-L4.sm89.tensorrt-10.13.3.fp16.plan"
    assert os.readlink(folder / PLAN) == ENGINE.file
    assert (folder / PLAN).read_bytes() == b"a plan"
    assert Engine.read(folder) == replace(ENGINE, plan_sha256=hashlib.sha256(b"a plan").hexdigest())
    assert fault(folder) == ""


def test_the_next_engine_takes_the_place_of_the_one_before(folder: Path):
    other = replace(ENGINE, precision="fp32")
    other.install(b"another plan", folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted([other.file, PLAN, STAMP, "model.onnx"])
    assert (folder / PLAN).read_bytes() == b"another plan"
    assert fault(folder) == ""


@pytest.mark.parametrize(
    ("host", "said"),
    [
        (Host(Gpu("NVIDIA H100", (9, 0)), "10.13.3"), "was built for NVIDIA L4, and this GPU is NVIDIA H100"),
        (Host(None, "10.13.3"), "was built for NVIDIA L4, and CUDA sees no GPU here"),
        (Host(L4, "11.0.0"), "was built by TensorRT 10.13.3, and this host has 11.0.0"),
    ],
)
def test_another_host_s_engine_is_refused_by_name(folder: Path, host: Host, said: str):
    assert fault(folder, host) == f"expression/1/{ENGINE.file} {said}"


def test_a_host_whose_tensorrt_is_not_found_leaves_the_version_to_it(folder: Path):
    assert fault(folder, Host(L4, "")) == ""


def test_a_damaged_engine_and_one_of_another_graph_are_refused(folder: Path):
    (folder / "model.onnx").write_bytes(b"another graph")
    assert "was built of another model.onnx" in fault(folder)
    (folder / ENGINE.file).write_bytes(b"a pla")
    assert "is not as it was built" in fault(folder)
    (folder / ENGINE.file).unlink()
    assert "is missing" in fault(folder)
    (folder / STAMP).write_text("{")
    assert fault(folder) == "expression has no engine"


def test_tensorrt_s_version_is_told_by_the_name_of_its_library(tmp_path: Path):
    for name in ("libnvinfer.so.10", "libnvinfer.so.10.13.3", "libnvinfer_plugin.so.9.1.1"):
        (tmp_path / name).touch()
    assert tensorrt_version([tmp_path / "none", tmp_path]) == "10.13.3"
    assert tensorrt_version([]) == ""


def test_triton_is_not_started_over_an_engine_that_is_not_for_this_host(folder: Path, monkeypatch: pytest.MonkeyPatch):
    repository = folder.parents[1]
    monkeypatch.setattr(engines, "here", lambda: HOST)
    engines.check(repository, ["--log-verbose=1", "--model-config-name=cpu"])
    with pytest.raises(
        TriptychError, match=r"face_detector has no engine.*Run, on the GPU that serves: triptych export"
    ):
        engines.check(repository, ["--model-config-name=gpu"])
    for step in ("face_detector", "sound_tagger"):
        other = repository / step / "1"
        other.mkdir(parents=True)
        (other / "model.onnx").write_bytes(GRAPH)
        ENGINE.install(b"a plan", other)
    engines.check(repository, ["--model-config-name=gpu"])
    assert engines.built(repository).keys() == {"expression", "face_detector", "sound_tagger"}
    monkeypatch.setattr(engines, "here", lambda: Host(Gpu("NVIDIA A10", (8, 6)), "10.13.3"))
    with pytest.raises(TriptychError, match=r"cannot be served: .*was built for NVIDIA L4, and this GPU is NVIDIA A10"):
        engines.check(repository, ["--model-config-name=gpu"])


def test_a_host_without_a_driver_has_no_gpu(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cuda, "DRIVER", "libcuda-that-is-not-there.so.1")
    assert cuda.gpu() is None
