"""Each network alone: rows, shares and precisions, and one small network measured on the CPU from end to end."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode
from typer.testing import CliRunner

from benchmarks.stages import __main__ as stages
from benchmarks.stages import ceilings, page, timing
from benchmarks.stages.measuring import ready
from benchmarks.stages.networks import NETWORKS, Network
from benchmarks.stages.plan import PLANS, PRECISIONS, cast, lowered, precision
from benchmarks.stages.results import EAGER, GRAPH, Agreement, Ceilings, Cell, Failure, Measured, Report, speed

CEILINGS = Ceilings({"fp32": 50, "tf32": 400, "fp16": 800, "bf16": 800}, 2000, 50, 10, 4, 1)
CELL = Cell(8, "fp32", EAGER, 0.002, 0.001, 5, 100.0)
ABSTRACT = replace(PLANS["cpu"], device="meta")
"""Tensors with shapes and no numbers: a device that, like a GPU's graph, cannot be waited for."""


def measured(**fields: Any) -> Measured:
    return Measured("net", "expression", "random", "face", **fields)


def test_a_network_of_much_arithmetic_is_held_to_the_product_of_its_precision():
    network = measured(gflops=1.25, bytes_fp32=1000)
    reached = speed(network, CELL, CEILINGS)
    assert reached.rows_per_s == pytest.approx(4000)
    assert reached.tflops == pytest.approx(5)
    assert (reached.share, reached.bound) == (pytest.approx(0.1), "computing")
    assert speed(network, replace(CELL, precision="tf32"), CEILINGS).share == pytest.approx(0.1 * 50 / 400)


def test_a_network_of_many_weights_is_held_to_the_reading_of_them():
    network = measured(gflops=1e-6, bytes_fp32=10**9)
    reached = speed(network, CELL, CEILINGS)
    assert (reached.share, reached.bound) == (pytest.approx(0.25), "weights")
    assert speed(network, replace(CELL, precision="bf16"), CEILINGS).share == pytest.approx(0.125)


def test_only_tf32_allows_tf32_and_what_was_set_before_comes_back():
    backends = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [backend.allow_tf32 for backend in backends]
    for name in PRECISIONS:
        with precision(name):
            assert [backend.allow_tf32 for backend in backends] == [name == "tf32"] * 2
    assert [backend.allow_tf32 for backend in backends] == before


def test_a_lowered_part_computes_in_half_and_answers_in_float():
    module = nn.ModuleDict({"body": nn.Linear(4, 4), "head": nn.Linear(4, 2)})
    lowered(module, ("body",), torch.float16)
    assert module["body"].weight.dtype == torch.float16
    assert module["head"].weight.dtype == torch.float32
    answer = module["body"](torch.full((1, 4), 0.1))
    assert answer.dtype == torch.float32
    torch.testing.assert_close(answer, answer.half().float(), rtol=0, atol=0)


def test_without_parts_all_is_lowered():
    assert lowered(nn.Linear(2, 2), (), torch.bfloat16)(torch.ones(1, 2).bfloat16()).dtype == torch.bfloat16


def test_a_device_measures_the_batches_that_it_has_time_for():
    assert PLANS["cuda"].sizes((1, 8, 32, 256)) == [1, 8, 32, 256]
    assert PLANS["cpu"].sizes((1, 8, 32)) == [1]
    assert PLANS["cpu"].sizes((8, 32)) == [8]


def test_choices_and_values_are_compared():
    wanted = (torch.tensor([[1.0, 2.0], [4.0, 3.0]]), torch.zeros(2, 1))
    got = (torch.tensor([[1.5, 1.0], [4.0, 3.0]]), torch.zeros(2, 1))
    found = timing.agreement("fp16 against fp32", got, wanted, 2, classes=True)
    assert (found.max_abs, found.largest, found.top1) == (1.0, 4.0, 0.5)
    assert timing.agreement("", got, wanted, 2, classes=False).top1 is None


def test_chosen_tokens_are_compared_one_by_one():
    wanted = (torch.ones(1, 3), torch.tensor([[1, 2, 3, 4]]))
    got = (torch.ones(1, 3), torch.tensor([[1, 2, 3, 9]]))
    assert timing.agreement("", got, wanted, 1, classes=True).top1 == 0.75


def test_numbers_that_are_none_are_told():
    found = timing.agreement("fp16 against fp32", torch.tensor([float("nan")]), torch.ones(1), 1, classes=False)
    assert found.max_abs is None
    assert "not finite" in page.write(Report("c", {"name": "x"}, CEILINGS, [measured(agreements=[found])]), {}, [])


def test_arithmetic_is_that_of_products():
    assert timing.gflops(nn.Linear(10, 20), [torch.ones(5, 10)], rows=5) == pytest.approx(2 * 10 * 20 / 1e9)


def test_tables_are_no_weights_that_a_call_reads():
    module = nn.ModuleDict({"word_embeddings": nn.Embedding(1000, 8), "out": nn.Linear(8, 2)})
    assert timing.weights_read(module) == 8 * 2 + 2


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA GeForce RTX4090", "rtx4090"),
        ("CPU, 2 threads", "cpu"),
        ("", "unknown"),
    ],
)
def test_results_are_named_by_the_card(name: str, short: str):
    assert ceilings.slug(name) == short


def test_a_report_is_read_back_as_it_was_written(tmp_path):
    network = measured(
        cells=[CELL, replace(CELL, mode=GRAPH, median_s=0.001)],
        agreements=[Agreement(page.ON_CPU, 1, 1e-6, 2.0, 1.0, None)],
        failures=[Failure("bf16", "RuntimeError: no")],
    )
    report = Report("command", {"name": "card"}, CEILINGS, [network])
    report.save(tmp_path / "stages.json")
    assert Report.read(tmp_path / "stages.json") == report


def test_the_page_has_a_row_for_each_batch_and_precision():
    graph = replace(CELL, mode=GRAPH, median_s=0.0005)
    text = page.write(
        Report("c", {"name": "card"}, CEILINGS, [measured(gflops=1, cells=[CELL, graph])]), {"yamnet": "no"}, ["ast"]
    )
    (row,) = (line for line in text.splitlines() if line.startswith("| 8 "))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:6] == ["8", "fp32", "2.000 (1.000)", "0.500 (1.000)", "1.6e+04", "16"]
    assert "- yamnet: no" in text
    assert "- ast: the run ended before it" in text


def test_a_small_network_is_measured_and_a_second_call_goes_on(tmp_path):
    options = ["--device", "cpu", "--out", str(tmp_path), "--only"]
    first = CliRunner().invoke(app(), [*options, "spectrogram-cnn"])
    assert first.exit_code == 0, first.output
    report = json.loads((tmp_path / "stages_cpu.json").read_text())
    (network,) = report["networks"]
    assert [cell["precision"] for cell in network["cells"]] == list(PRECISIONS)
    assert not network["failures"]
    assert {check["what"] for check in network["agreements"]} >= {page.ON_CPU, "fp16 against fp32"}
    assert all(check["cosine"] > 0.99 for check in network["agreements"])
    assert "| spectrogram-cnn" in (tmp_path / "stages_cpu.md").read_text()
    second = CliRunner().invoke(app(), [*options, "spectrogram-cnn", "--only", "cnn-time"])
    assert "going on" in second.output
    assert second.output.count("spectrogram-cnn:") == 0
    assert len(json.loads((tmp_path / "stages_cpu.json").read_text())["networks"]) == 2


def test_what_is_not_there_is_named(tmp_path):
    result = CliRunner().invoke(app(), ["--device", "cpu", "--only", "resnet", "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert "there is no network resnet" in result.output


def app() -> Any:
    command = stages.typer.Typer()
    command.command()(stages.main)
    return command


class FromHost(TorchDispatchMode):
    """Notes operators that take an array of the host's to the device."""

    def __init__(self) -> None:
        super().__init__()
        self.operators: list[str] = []

    def __torch_dispatch__(self, operator: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        results = operator(*args, **(kwargs or {}))
        given = [leaf for leaf in pytree.tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        made = [leaf for leaf in pytree.tree_leaves(results) if isinstance(leaf, torch.Tensor)]
        on_device = any(tensor.is_meta for tensor in (*given, *made))
        if on_device and any(tensor.device.type == "cpu" and tensor.dim() for tensor in given):
            self.operators.append(str(operator))
        return results


@pytest.fixture
def capturing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let transformers think that a CUDA graph is being captured, so that it does not ask what is in a mask."""
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


@pytest.mark.parametrize("network", NETWORKS, ids=[network.name.replace(" ", "-") for network in NETWORKS])
def test_a_network_neither_waits_for_the_device_nor_copies_to_it(network: Network, capturing: None):
    """What would fail as a CUDA graph fails here, without a GPU: see `ABSTRACT`."""
    module = ready(network.build(ABSTRACT).to("meta"))
    inputs = tuple(tensor.to("meta") for tensor in network.inputs(2, torch.Generator()))
    for dtype in (torch.float32, torch.float16):
        if dtype == torch.float16:
            module = ready(lowered(copy.deepcopy(module), network.parts, dtype))
            inputs = inputs if network.parts else cast(inputs, dtype)
        with torch.inference_mode():
            module(*inputs)  # the first call may keep what it makes
            with FromHost() as host:
                outputs = module(*inputs)
        assert not host.operators
        assert all(tensor.is_meta for tensor in pytree.tree_leaves(outputs))
