"""Steps that fail in the middle of the real graph, one of each kind: the channels that are left answer."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from triptych.files import link_or_copy
from triptych.serving.host import Address, free_port
from triptych.serving.run import Settings, running
from triptych_client import AsyncClient

pytestmark = pytest.mark.server

DEAF = """

def fail(self, jobs):
    raise RuntimeError("no such luck")


TritonPythonModel.decode = fail
"""


def blind(path: Path) -> None:
    """Write a graph in the place of the face model that fails for any face."""
    faces = helper.make_tensor_value_info("FACES", TensorProto.UINT8, ["m", 112, 112, 3])
    positions = helper.make_tensor_value_info("TRACK_POSITIONS", TensorProto.INT64, ["m", 2])
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("LOGITS", "EMBEDDING")]
    shape = helper.make_tensor("shape", TensorProto.INT64, [2], [7, 999_999])
    nodes = [
        helper.make_node("Cast", ["FACES"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["pixels", "shape"], ["LOGITS"]),
        helper.make_node("Identity", ["LOGITS"], ["EMBEDDING"]),
    ]
    graph = helper.make_graph(nodes, "g", [faces, positions], outputs, [shape])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)


@pytest.fixture
def broken(repository: Path, tmp_path: Path) -> Path:
    """The repository, with a step of our own code and one of a backend that fail."""
    shutil.copytree(repository, tmp_path / "models", symlinks=True, copy_function=link_or_copy)
    whisper = tmp_path / "models" / "whisper" / "1" / "model.py"
    whisper.write_text(whisper.read_text(encoding="utf-8") + DEAF, encoding="utf-8")
    (tmp_path / "models" / "expression" / "1" / "model.onnx").unlink()
    blind(tmp_path / "models" / "expression" / "1" / "model.onnx")
    return tmp_path / "models"


async def test_a_clip_is_answered_by_the_channels_that_are_left_again_and_again(
    broken: Path, short_clip: Path, tmp_path: Path
):
    door, page = Address("127.0.0.1", free_port()), Address("127.0.0.1", free_port())
    settings = Settings(door=door, web=page, repository=broken, work=tmp_path / "work")
    async with running(settings) as serving, AsyncClient(str(door)) as client:
        answers = [await client.analyze(short_clip) for _ in range(2)]
        log = serving.server.log.read_text(encoding="utf-8")
    for answer in answers:
        assert {name: (part.status, part.reason_code) for name, part in answer.channels.items()} == {
            "face": ("failed", "not_finite"),
            "sound": ("ok", ""),
            "voice": ("failed", "step_failed"),
            "words": ("failed", "step_failed"),
        }
        assert "Speech" in [tag.label for tag in answer.audio_tags]
        assert np.isclose(sum(answer.emotion.probabilities.values()), 1, atol=1e-3)
    assert "no such luck" in log
    assert "expression: request" in log
