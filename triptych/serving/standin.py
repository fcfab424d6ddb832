"""What a step in the middle of the graph answers when it has nothing to say: the request must go on to the last step.

Triton 2.51 hangs or dies when a step answers with an error while another branch of the same request runs. So only the
first step and the last one refuse; what lies between stands in with tensors of no meaning: not-a-number where numbers
have a fraction, 0 where they are whole, empty text.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tritonclient.utils import triton_to_np_dtype


def tensor(dtype: str, dims: Sequence[int], rows: int | None = None) -> np.ndarray:
    """Return a tensor of no meaning of Triton's `dtype`: as many `rows` where there is a batch axis; -1 becomes 1."""
    shape = [1 if length < 0 else length for length in dims]
    if rows is not None:
        shape.insert(0, rows)
    kind = np.dtype(triton_to_np_dtype(dtype))
    if kind.kind == "O":
        return np.full(shape, b"", object)
    return np.full(shape, np.nan if kind.kind == "f" else 0, kind)
