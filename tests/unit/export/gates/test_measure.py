"""Gates on a small network: they pass what is near, and what is not near does not pass."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch

from export.gates import measure, report
from export.gates.measure import Gate, Subject
from export.onnx import to_onnx
from samples.attention import WIDTH, Attention
from triptych.serving.engines import Precision

FEEDS = {"x": np.random.default_rng(0).normal(size=(9, 6, WIDTH)).astype(np.float32)}


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    path = tmp_path_factory.mktemp("repository") / "expression" / "1" / "model.onnx"
    path.parent.mkdir(parents=True)
    onnx.save(to_onnx(Attention()), path)
    return Subject("expression", "toy", path)


def test_a_graph_is_its_network(subject: Subject):
    (gate,) = measure.compare(subject, Attention(), (), "noise", FEEDS)
    assert gate.passed
    assert 0 < gate.figure < gate.limit


def test_a_graph_of_other_weights_does_not_pass(subject: Subject):
    other = Attention()
    with torch.no_grad():
        other.head.bias += 1e-3
    (gate,) = measure.compare(subject, other, (), "noise", FEEDS)
    assert not gate.passed


def test_half_precision_is_compared_by_direction_and_by_choice(subject: Subject):
    cosine, choices = measure.compare(subject, None, [Precision.FP16], "noise", FEEDS)
    assert (cosine.what, choices.what) == ("cosine of LOGITS, least of a row", "rows whose first of LOGITS is another")
    assert cosine.passed
    assert cosine.figure < 1
    assert choices.figure == 0


@pytest.mark.parametrize(("figure", "passed"), [(0.9989, False), (0.999, True), (-1.0, False)])
def test_a_cosine_is_at_least_its_limit(figure: float, passed: bool):
    assert Gate("s", "e", "f", "fp16", "i", "cosine of LOGITS", figure, 0.999).passed is passed


def test_what_is_no_number_never_passes():
    rows = np.array([[1.0, 2.0], [np.nan, 1.0]])
    assert measure.least_cosine(rows, rows) == -1
    assert measure.difference(rows, rows) == float("inf")
    assert measure.least_cosine(np.zeros((2, 3)), np.zeros((2, 3))) == 1


def test_a_list_of_numbers_is_compared_as_one():
    assert measure.least_cosine(np.array([0.9, 0.1]), np.array([0.1, 0.9])) == pytest.approx(0.22, abs=0.01)


def test_the_report_lies_beside_the_export_and_its_page_begins_with_what_fails(subject: Subject):
    good = Gate("expression", "toy", "model.onnx", "fp16", "noise", "cosine of LOGITS", 0.99995, 0.999)
    bad = replace(good, what="rows whose first of LOGITS is another", figure=2, limit=0)
    repository = subject.path.parents[2]
    report.write_beside([good, bad], repository)
    written = json.loads((subject.path.parent / report.FILE).read_text())
    assert [(gate["figure"], gate["passed"]) for gate in written["gates"]] == [(0.99995, True), (2, False)]
    assert report.read_all(repository) == [good, bad]
    low = replace(bad, precision="bf16")
    page = report.page([good, bad, low], "python -m export.gates", {"other": "held elsewhere"})
    assert "1 of 2 do not pass. In bf16, which nothing takes unless asked to, 1 do not" in page
    assert [gate.decides for gate in (good, bad, low)] == [True, True, False]
    assert page.index("**no**") < page.index("| yes |")
    assert "- `other`: held elsewhere" in page
