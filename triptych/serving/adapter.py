"""What every `model.py` shares: named arrays in, named arrays out, callers who have left, and errors.

Runs only inside Triton's Python backend, which provides `triton_python_backend_utils`.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils  # type: ignore[import-not-found]
from tritonclient.utils import triton_to_np_dtype

from triptych.errors import CallerLeft, ClipError, RequestError, TriptychError
from triptych.serving import standin
from triptych.serving.door import tickets
from triptych_client import contract

Arrays = Mapping[str, np.ndarray]

MAY_FAIL = (next(iter(contract.STEPS)), next(reversed(contract.STEPS)))
"""The first step and the last one: beside them no other branch of a request runs, see `standin`."""

logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")


def read(request: Any, step: contract.Step) -> dict[str, np.ndarray]:
    """Return the request's tensors by name, in their contract's order."""
    return {t.name: pb_utils.get_input_tensor_by_name(request, t.name).as_numpy() for t in step.inputs}


def parameters(request: Any) -> dict[str, Any]:
    """Return the request's own parameters (Triton hands those of an ensemble to each of its steps)."""
    return json.loads(request.parameters() or "{}")


def response(request: Any, step: contract.Step, outputs: Arrays) -> Any:
    """Return the response with the outputs that were asked for, as the contract's dtypes."""
    wanted = request.requested_output_names()
    return pb_utils.InferenceResponse(
        [pb_utils.Tensor(t.name, _typed(outputs[t.name], t.dtype)) for t in step.outputs if t.name in wanted]
    )


def has_left(request: Any) -> bool:
    """Tell whether the caller of a request has gone: as the door's board says, or Triton where no door is in front.

    Triton is asked only there. Its `is_cancelled` is a message through the shared memory of the step; with it, traffic
    of callers who leave, whose responses follow at once, took stubs and tritonserver 2.51 down: docs/reliability.md.
    """
    told = parameters(request)
    return tickets.has_left(told) if tickets.PARAMETER in told else request.is_cancelled()


def is_in_graph(request: Any) -> bool:
    """Tell whether a request came through the door, and so belongs to a clip whose other branches may be running."""
    return tickets.PARAMETER in parameters(request)


def request_id(request: Any) -> str:
    """Return the id by which the door's log names the call; "" without one."""
    return str(parameters(request).get(tickets.REQUEST_ID, ""))


def without_caller(request: Any, step: contract.Step) -> Any:
    """Return the response to a request whose caller has gone: an error where the graph takes one, see `standin`."""
    if step.name in MAY_FAIL:
        return _error(str(CallerLeft()), pb_utils.TritonError.CANCELLED)
    return response(request, step, nothing(request, step))


def nothing(request: Any, step: contract.Step) -> Arrays:
    """Return outputs of no meaning, see `standin`, with as many rows as the request has where there is a batch axis."""
    rows = _rows(request, step.inputs[0].name) if step.max_batch_size else None
    return {tensor.name: standin.tensor(tensor.dtype, tensor.dims, rows) for tensor in step.outputs}


def unanswered(request: Any, config: Mapping[str, Any], error: Exception, failure: Any) -> Any:
    """Return a backend's response to a request that it did not compute, for the model of a config as Triton gives it.

    Within the graph that is outputs of no meaning, with a log unless the caller has left. Elsewhere it is an error:
    `failure`, or CANCELLED.
    """
    left = isinstance(error, CallerLeft)
    if not is_in_graph(request):
        return _error(str(error), pb_utils.TritonError.CANCELLED) if left else pb_utils.InferenceResponse(error=failure)
    if not left:
        logging.getLogger(config["backend"]).error(
            "%s: request %s failed: %s", config["name"], request_id(request), error
        )
    rows = _rows(request, config["input"][0]["name"]) if config["max_batch_size"] else None
    wanted = request.requested_output_names()
    return pb_utils.InferenceResponse(
        [
            pb_utils.Tensor(output["name"], standin.tensor(_dtype(output["data_type"]), output["dims"], rows))
            for output in config["output"]
            if output["name"] in wanted
        ]
    )


def _rows(request: Any, name: str) -> int:
    return len(pb_utils.get_input_tensor_by_name(request, name).as_numpy())


def failure(request: Any, error: Exception, step: contract.Step, otherwise: Callable[[], Arrays] | None = None) -> Any:
    """Return the response to a request that cannot be computed: an error where the graph takes one.

    Elsewhere it is `otherwise()`, which says so in the step's own way, or outputs of no meaning. INTERNAL, with a log,
    unless the clip or a parameter of the request is at fault.
    """
    if isinstance(error, CallerLeft):
        return without_caller(request, step)
    if isinstance(error, ClipError) and step.name in MAY_FAIL:
        return _error(str(error), pb_utils.TritonError.INVALID_ARG)
    if isinstance(error, RequestError) and step.name in MAY_FAIL:
        return _error(str(error), pb_utils.TritonError.UNSUPPORTED)
    logging.getLogger(step.name).error("request %s failed", request_id(request), exc_info=error)
    if step.name in MAY_FAIL:
        text = str(error) if isinstance(error, TriptychError) else f"{type(error).__name__}: {error}"
        return _error(f"{step.name}: {text}", pb_utils.TritonError.INTERNAL)
    return response(request, step, otherwise() if otherwise else nothing(request, step))


def each(
    requests: list[Any],
    name: str,
    function: Callable[..., Arrays],
    otherwise: Callable[[], Arrays] | None = None,
    *,
    of_request: Callable[[Any], Any] | None = None,
) -> list[Any]:
    """Answer requests one by one with `function(**inputs in lower case) -> outputs by tensor name`.

    What goes wrong with one request is that request's alone: see `failure`. `of_request` is for a step that asks for
    more than the tensors: what it returns for a request is the function's first argument.
    """
    step = contract.STEPS[name]
    return [
        _answer(request, step, partial(function, of_request(request)) if of_request else function, otherwise)
        for request in requests
    ]


def _answer(
    request: Any, step: contract.Step, function: Callable[..., Arrays], otherwise: Callable[[], Arrays] | None
) -> Any:
    if has_left(request):
        return without_caller(request, step)
    try:
        inputs = {key.lower(): value for key, value in read(request, step).items()}
        return response(request, step, function(**inputs))
    except Exception as error:
        return failure(request, error, step, otherwise)


def _error(message: str, code: int) -> Any:
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(message, code))


def _dtype(config_type: str) -> str:
    """Return the datatype of the protocol for one of a config: TYPE_STRING -> BYTES."""
    return {"TYPE_STRING": "BYTES"}.get(config_type, config_type.removeprefix("TYPE_"))


def _typed(array: np.ndarray, dtype: str) -> np.ndarray:
    return np.ascontiguousarray(array, dtype=triton_to_np_dtype(dtype))
