"""What the comparison of the channels' alternatives rests on: memory of fresh processes, rivals of equal size."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from benchmarks import channel_costs, channels, face_rivals, peak, voice_held_out
from benchmarks.measure import Seconds
from training.data.speech import SpeechWindows


def test_a_fresh_process_tells_what_a_call_adds():
    mebibyte = peak.mib("numpy:ones", 1 << 17)
    assert peak.mib("numpy:ones", 100 << 17) - mebibyte == pytest.approx(99, abs=5)


def test_a_call_that_fails_is_named():
    with pytest.raises(RuntimeError, match=r"(?s)numpy:ones.*failed.*TypeError"):
        peak.mib("numpy:ones", "not a shape")


def test_the_vit_is_of_equal_size():
    swin, vit = (face_rivals.parameters(face_rivals.build(kind, 48)) for kind in ("swin", "vit"))
    assert vit == pytest.approx(swin, rel=0.07)


@pytest.mark.parametrize("kind", ["swin", "vit", "vit-fused"])
def test_the_rivals_answer_at_any_size(kind: str):
    with torch.inference_mode():
        assert face_rivals.build(kind, 96).eval()(torch.zeros(2, 1, 96, 96)).shape == (2, 7)


def test_both_ways_of_attention_answer_alike():
    faces = torch.randn(2, 1, 48, 48)
    with torch.inference_mode():
        written, fused = (face_rivals.build(kind, 48).eval()(faces) for kind in ("vit", "vit-fused"))
    torch.testing.assert_close(written, fused, rtol=0, atol=1e-4)


def test_packed_weights_count_twice(tmp_path):
    tensors = [
        helper.make_tensor("weight", TensorProto.FLOAT, [2, 3], np.zeros(6)),
        helper.make_tensor("nibbles", TensorProto.UINT8, [4], bytes(4), raw=True),
        helper.make_tensor("axes", TensorProto.INT64, [9], range(9)),
    ]
    onnx.save(helper.make_model(helper.make_graph([], "g", [], [], tensors)), tmp_path / "model.onnx")
    assert channel_costs.parameters(tmp_path / "model.onnx") == 6 + 2 * 4


def test_scrambling_keeps_what_is_in_a_window():
    windows = torch.randn(5, 64, 300).half()
    numbers = np.arange(5)
    moved = voice_held_out.scrambled(SpeechWindows(windows, numbers, numbers, numbers, numbers, numbers)).windows
    assert moved.shape == windows.shape
    assert not torch.equal(moved, windows)
    torch.testing.assert_close(moved.float().sum(2), windows.float().sum(2), rtol=0, atol=1e-3)


def test_a_ratio_is_that_of_runs_that_followed_each_other():
    assert channels.ratio(Seconds((2.0, 40.0, 6.0)), Seconds((1.0, 10.0, 3.0))) == 2.0
