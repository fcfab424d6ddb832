"""From a network to files: the same bytes anywhere, free axes that are free, errors that name the network."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper
from torch import Tensor
from torch.export import Dim

from export import onnx as exporter
from export.catalog import Entry
from networks.served import Derived, Served
from triptych.errors import TriptychError
from triptych_client.contract import STEPS

TOY = """
import torch
from networks.served import Served


class Toy(Served):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = torch.nn.Sequential(torch.nn.Linear(300, 9), torch.nn.GELU(), torch.nn.Linear(9, 7))

    def example(self):
        return (torch.zeros(2, 64, 300),)

    def forward(self, features):
        return self.layers(features).mean(1)
"""


def toy(folder: Path) -> Served:
    """The same network from a file in this folder."""
    folder.mkdir(parents=True)
    path = folder / "toy.py"
    path.write_text(TOY)
    spec = spec_from_file_location("toy", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Toy()


def test_the_bytes_do_not_tell_where_the_code_lies(tmp_path: Path):
    folders = tmp_path / "here", tmp_path / "some" / "where" / "else"
    one, other = (exporter.to_onnx(toy(folder), STEPS["voice_emotion"]).SerializeToString() for folder in folders)
    assert one == other
    assert b".py" not in one
    assert str(tmp_path).encode() not in one


class Unrolled(Served):
    """A network whose code runs as many times as the example has columns."""

    inputs = ("x",)
    outputs = ("y",)

    def example(self) -> tuple[Tensor]:
        return (torch.ones(2, 5),)

    def free_axes(self) -> Any:
        return ({0: Dim.DYNAMIC, 1: Dim.DYNAMIC},)

    def forward(self, x: Tensor) -> Tensor:
        total = torch.zeros_like(x[:, 0])
        for column in x.unbind(1):
            total = torch.tanh(total + column)
        return total


def test_an_axis_that_is_declared_free_and_fixed_by_the_code_is_an_error():
    with pytest.raises(TriptychError, match=r"(?s)cannot export Unrolled: .*static shape of 5"):
        exporter.to_onnx(Unrolled())


class Hinted(Unrolled):
    """The same, where PyTorch is allowed to fix the axis."""

    def __init__(self, *dims: Any) -> None:
        super().__init__()
        self.dims = dims

    def free_axes(self) -> Any:
        return (dict(enumerate(self.dims)),)


@pytest.mark.parametrize("dims", [(Dim.AUTO, Dim.AUTO), (Dim("rows"), Dim("columns"))], ids=["hints", "names"])
def test_an_axis_that_tracing_fixes_silently_is_found(dims: tuple[Any, ...]):
    with pytest.raises(TriptychError, match="Hinted declares axis 1 of x free, and fixes it to the example's 5"):
        exporter.to_onnx(Hinted(*dims))


def test_inputs_that_the_network_leaves_out_are_declared():
    class First(Served):
        def example(self) -> tuple[Tensor]:
            return (torch.zeros(2, 112, 112, 3, dtype=torch.uint8),)

        def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
            mean = faces.float().mean((1, 2))
            return mean.repeat(1, 3)[:, :7], mean

    model = exporter.to_onnx(First(), STEPS["expression"])
    assert [value.name for value in model.graph.input] == ["FACES", "TRACK_POSITIONS"]
    session = onnxruntime.InferenceSession(model.SerializeToString())
    feeds = {"FACES": np.ones((4, 112, 112, 3), np.uint8), "TRACK_POSITIONS": np.zeros((4, 2), np.int64)}
    assert [value.shape for value in session.run(None, feeds)] == [(4, 7), (4, 3)]


def test_a_network_that_gives_other_outputs_than_its_step_is_an_error():
    class OneOutput(Served):
        def example(self) -> tuple[Tensor]:
            return (torch.zeros(2, 112, 112, 3, dtype=torch.uint8),)

        def forward(self, faces: Tensor) -> Tensor:
            return faces.float().mean((1, 2))

    with pytest.raises(TriptychError, match=r"OneOutput takes 1 tensors and gives 1, .* FACES and LOGITS, EMBEDDING"):
        exporter.to_onnx(OneOutput(), STEPS["expression"])


def test_an_operator_that_onnx_has_not_is_named():
    class Waves(Served):
        def example(self) -> tuple[Tensor]:
            return (torch.zeros(2, 64, 300),)

        def forward(self, features: Tensor) -> Tensor:
            return torch.special.bessel_j0(features[:, :7, 0])

    with pytest.raises(TriptychError, match=r"(?s)cannot export Waves: .*bessel_j0"):
        exporter.to_onnx(Waves(), STEPS["voice_emotion"])


def test_the_files_of_a_model(tmp_path: Path):
    graph = helper.make_graph([], "none", [], [])
    parts = {
        "model.onnx": graph,
        "other.onnx": Derived("model.onnx", lambda model: helper.make_model(model.graph, producer_name="derived")),
        "text.json": "один\n",
    }
    exporter.write(parts, STEPS["voice_emotion"], tmp_path)
    assert (tmp_path / "text.json").read_bytes() == "один\n".encode()
    assert onnx.load(tmp_path / "other.onnx").producer_name == "derived"
    assert onnx.load(tmp_path / "model.onnx").graph == graph


def test_weights_that_are_too_many_for_a_file_lie_beside_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    weight = onnx.numpy_helper.from_array(np.arange(2000, dtype=np.float32), "weight")
    values = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [2000]) for name in ("x", "y")]
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "weight"], ["y"])], "toy", values[:1], values[1:], [weight]
    )
    exporter.save(exporter.checked(graph), tmp_path / "within.onnx")
    monkeypatch.setattr(exporter, "LARGEST_BYTES", 8000)
    exporter.save(exporter.checked(graph), tmp_path / "model.onnx")
    assert {path.name for path in tmp_path.iterdir()} == {"within.onnx", "model.onnx", "model.onnx.data"}
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (found,) = session.run(None, {"x": np.ones(2000, np.float32)})
    np.testing.assert_array_equal(found, np.arange(1, 2001))


def test_a_network_that_takes_other_folders_is_named_with_what_it_is_given():
    entry = Entry("odd", "t", "MIT", step="text_emotion", network="networks.words.trained:TrainedWords", needs=("x",))
    with pytest.raises(TriptychError, match=r"TrainedWords does not take the folders of x: .*'encoder'.*`needs`"):
        exporter.parts(entry, [Path()])


def test_a_package_that_a_network_needs_is_named_with_the_remedy():
    entry = Entry("odd", "t", "MIT", step="text_emotion", network="no_such_package.module:Network")
    with pytest.raises(TriptychError, match=r"no_such_package is missing: pip install 'triptych\[export\]'"):
        exporter.parts(entry, [])


def test_a_name_that_the_module_lacks_is_named():
    entry = Entry("odd", "t", "MIT", step="text_emotion", network="networks.words.trained:Nobody")
    with pytest.raises(TriptychError, match=r"trained\.py has no Nobody"):
        exporter.parts(entry, [])
