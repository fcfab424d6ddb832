"""The stand-in of a step without a model."""

import numpy as np
import onnxruntime
import pytest

from export import vacant
from export.onnx import checked
from samples.expression_inputs import inputs_of
from triptych.errors import TriptychError
from triptych_client.contract import STEPS


def load(step):
    model = checked(vacant.build(STEPS[step]))
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("rows", [1, 3])
def test_voice_emotion_answers_zeros_for_each_row(rows):
    session = load("voice_emotion")
    (logits,) = session.run(["LOGITS"], {"FEATURES": np.ones((rows, 64, 300), np.float32)})
    assert logits.dtype == np.float32
    np.testing.assert_array_equal(logits, np.zeros((rows, 7)))


def test_free_axes_of_outputs_have_length_one():
    session = load("expression")
    logits, embedding = session.run(["LOGITS", "EMBEDDING"], inputs_of(np.ones((2, 112, 112, 3), np.uint8)))
    assert logits.shape == (2, 7)
    assert embedding.shape == (2, 1)


def test_several_inputs():
    session = load("text_emotion")
    ids = np.ones((2, 16), np.int64)
    logits, _ = session.run(["LOGITS", "EMBEDDING"], {"INPUT_IDS": ids, "ATTENTION_MASK": ids})
    assert logits.shape == (2, 7)


def test_a_step_without_a_batch_axis_is_refused():
    with pytest.raises(TriptychError, match="no batch axis"):
        vacant.build(STEPS["fusion"])
