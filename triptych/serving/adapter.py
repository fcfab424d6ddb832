"""What every `model.py` shares: named arrays in, named arrays out, cancellation and errors.

Runs only inside Triton's Python backend, which provides `triton_python_backend_utils`.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils  # type: ignore[import-not-found]
from tritonclient.utils import triton_to_np_dtype

from triptych.errors import CallerLeftError, ClipError, RequestError, TriptychError
from triptych_client import contract

Arrays = Mapping[str, np.ndarray]

logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")


def read(request: Any, step: contract.Step) -> dict[str, np.ndarray]:
    """Return the request's tensors by name, in their contract's order."""
    return {t.name: pb_utils.get_input_tensor_by_name(request, t.name).as_numpy() for t in step.inputs}


def parameters(request: Any) -> dict[str, Any]:
    """Return the request's own parameters (Triton hands those of an ensemble to each of its steps)."""
    return json.loads(request.parameters() or "{}")


def has_left(request: Any) -> bool:
    """Tell whether nobody waits for the answer to a request any more."""
    return bool(request.is_cancelled())


def response(request: Any, step: contract.Step, outputs: Arrays) -> Any:
    """Return the response with the outputs that were asked for, as the contract's dtypes."""
    wanted = request.requested_output_names()
    return pb_utils.InferenceResponse(
        [pb_utils.Tensor(t.name, _typed(outputs[t.name], t.dtype)) for t in step.outputs if t.name in wanted]
    )


def failure(error: Exception, step: contract.Step) -> Any:
    """Return an error response, INTERNAL (with a log) unless the clip or a parameter of the request is at fault."""
    if isinstance(error, ClipError):
        return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(error), pb_utils.TritonError.INVALID_ARG))
    if isinstance(error, RequestError):
        return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(error), pb_utils.TritonError.UNSUPPORTED))
    if isinstance(error, CallerLeftError):
        return cancelled()
    logging.getLogger(step.name).error("request failed", exc_info=error)
    text = str(error) if isinstance(error, TriptychError) else f"{type(error).__name__}: {error}"
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(f"{step.name}: {text}"))


def cancelled() -> Any:
    """Return the response to a request whose client has gone."""
    return pb_utils.InferenceResponse(
        error=pb_utils.TritonError("the request was cancelled", pb_utils.TritonError.CANCELLED)
    )


def each(requests: list[Any], name: str, function: Callable[..., Arrays]) -> list[Any]:
    """Answer requests one by one with `function(**inputs in lower case) -> outputs by tensor name`.

    An error of one request is that request's alone.
    """
    step = contract.STEPS[name]
    return [_answer(request, step, function) for request in requests]


def _answer(request: Any, step: contract.Step, function: Callable[..., Arrays]) -> Any:
    if request.is_cancelled():
        return cancelled()
    try:
        inputs = {key.lower(): value for key, value in read(request, step).items()}
        return response(request, step, function(**inputs))
    except Exception as error:
        return failure(error, step)


def _typed(array: np.ndarray, dtype: str) -> np.ndarray:
    return np.ascontiguousarray(array, dtype=triton_to_np_dtype(dtype))
