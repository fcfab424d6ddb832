"""Tensors of no meaning."""

from __future__ import annotations

import numpy as np
import pytest
from tritonclient.utils import np_to_triton_dtype

from triptych.serving import standin
from triptych_client.contract import STEPS


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_every_tensor_of_the_contract_can_be_stood_in_for(step):
    rows = 3 if step.max_batch_size else None
    for tensor in step.outputs:
        found = standin.tensor(tensor.dtype, tensor.dims, rows)
        assert np_to_triton_dtype(found.dtype) == tensor.dtype
        dims = tuple(1 if length < 0 else length for length in tensor.dims)
        assert found.shape == ((3, *dims) if rows else dims)


def test_numbers_with_a_fraction_are_no_numbers_and_texts_are_empty():
    assert np.isnan(standin.tensor("FP32", (-1, 7), 2)).all()
    assert standin.tensor("INT32", (2,)).tolist() == [0, 0]
    assert standin.tensor("BYTES", (2,)).tolist() == [b"", b""]
