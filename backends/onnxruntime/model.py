"""Triton backend "onnxruntime" for hosts without the native one: the same config.pbtxt, on the onnxruntime wheel.

A Python-based backend: Triton runs this file for every model whose config says `backend: "onnxruntime"`. Requests that
the dynamic batcher hands over together run as one batch for each distinct shape of a row; if that fails, each runs
alone, so that a bad request fails by itself. Honours the native backend's parameters `intra_op_thread_count`,
`inter_op_thread_count`, `execution_mode`, `enable_mem_arena`, `enable_mem_pattern` and `optimization.graph.level`, and
one of its own, `device`: `cuda` (triptych/providers.py).
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from typing import Any

import numpy as np
import onnxruntime as ort
import triton_python_backend_utils as pb_utils

from triptych import providers
from triptych.errors import CallerLeft
from triptych.resources import threads
from triptych.serving import adapter

GRAPH_LEVELS = {
    -1: ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    1: ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
}


def session_options(config: dict[str, Any]) -> ort.SessionOptions:
    """Return ONNX Runtime's options as the native backend reads them from a model's config."""
    parameter = {key: value["string_value"] for key, value in config.get("parameters", {}).items()}
    graph = config.get("optimization", {}).get("graph") or {}
    options = ort.SessionOptions()
    options.graph_optimization_level = GRAPH_LEVELS.get(
        int(graph.get("level", 0)), ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    )
    options.intra_op_num_threads = threads(int(parameter.get("intra_op_thread_count", 0)))
    options.inter_op_num_threads = int(parameter.get("inter_op_thread_count", 0))
    if parameter.get("execution_mode") == "1":
        options.execution_mode = ort.ExecutionMode.ORT_PARALLEL
    options.enable_cpu_mem_arena = parameter.get("enable_mem_arena", "1") == "1"
    options.enable_mem_pattern = parameter.get("enable_mem_pattern", "1") == "1"
    # Threads of an idle model must not spin: the cores belong to the other steps.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def session_providers(args: dict[str, str], config: dict[str, Any]) -> list[Any]:
    """Return the execution providers of an instance: CUDA first on a GPU, or where the parameter `device` says so."""
    wanted = config.get("parameters", {}).get(providers.PARAMETER, {}).get("string_value", "")
    on_cuda = providers.on_cuda(args["model_instance_kind"], wanted)
    return providers.listed(on_cuda, int(args["model_instance_device_id"]))


def check_names(what: str, configured: set[str], graph: set[str]) -> None:
    """Refuse a config whose tensor names the graph does not have. Inputs must match, outputs may be fewer."""
    missing = configured - graph or (graph - configured if what == "input" else set())
    if missing:
        raise pb_utils.TritonModelException(
            f"{what}s {sorted(configured)} of config.pbtxt do not fit the graph's {sorted(graph)}: {sorted(missing)}"
        )


class TextError(ValueError):
    """An input has a string that is not UTF-8."""


def read(request: Any, name: str) -> np.ndarray:
    """Return an input of a request, BYTES as the strings that ONNX Runtime's Python wants; TextError if not UTF-8."""
    array = pb_utils.get_input_tensor_by_name(request, name).as_numpy()
    if array.dtype != object:
        return array
    try:
        return np.frompyfunc(bytes.decode, 1, 1)(array)
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise TextError(f"{name} is not UTF-8: {byte:#04x} at byte {error.start} of a string") from error


class TritonPythonModel:
    """One instance of an ONNX model."""

    def initialize(self, args: dict[str, str]) -> None:
        self.config = config = json.loads(args["model_config"])
        file = config.get("default_model_filename") or "model.onnx"
        path = os.path.join(args["model_repository"], args["model_version"], file)
        if not os.path.isfile(path):
            raise pb_utils.TritonModelException(f"{args['model_name']} has no {file}: run `triptych export`")
        try:
            self.session = ort.InferenceSession(path, session_options(config), session_providers(args, config))
        except Exception as error:
            raise pb_utils.TritonModelException(f"{args['model_name']}: cannot load {file}: {error}") from error
        providers.tell(args["model_name"], self.session)
        self.inputs = [node.name for node in self.session.get_inputs()]
        self.outputs = [output["name"] for output in config["output"]]
        self.batching = config["max_batch_size"] > 0
        check_names("input", {tensor["name"] for tensor in config["input"]}, set(self.inputs))
        check_names("output", set(self.outputs), {node.name for node in self.session.get_outputs()})

    def execute(self, requests: list[Any]) -> list[Any]:
        responses: list[Any] = [None] * len(requests)
        groups = defaultdict(list)
        for index, request in enumerate(requests):
            if adapter.has_left(request):
                responses[index] = self.without(request, CallerLeft())
                continue
            try:
                arrays = [read(request, name) for name in self.inputs]
            except TextError as error:
                responses[index] = self.without(request, error)
                continue
            key = tuple(array.shape[1:] for array in arrays) if self.batching else index
            groups[key].append((index, arrays))
        for members in groups.values():
            for (index, _), outcome in zip(members, self.run_group([arrays for _, arrays in members])):
                responses[index] = self.respond(requests[index], outcome)
        return responses

    def run_group(self, members: list[list[np.ndarray]]) -> list[list[np.ndarray] | Exception]:
        """Run requests of one row shape together; one by one if that fails. Returns an outcome for each."""
        try:
            outputs = self.run([np.concatenate(column) if len(members) > 1 else column[0] for column in zip(*members)])
        except Exception as error:
            if len(members) == 1:
                return [error]
            return [self.run_group([member])[0] for member in members]
        if len(members) == 1:
            return [outputs]
        cuts = np.cumsum([len(member[0]) for member in members])[:-1]
        return [list(part) for part in zip(*(np.split(output, cuts) for output in outputs))]

    def run(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        """Run the graph once. A row of not-a-number, where an earlier step failed, stays that, whatever comes out."""
        outputs = self.session.run(self.outputs, dict(zip(self.inputs, arrays)))
        if self.batching and (lost := lost_rows(arrays)).any():
            for output in outputs:
                if output.dtype.kind == "f":
                    output[lost] = np.nan
        return outputs

    def respond(self, request: Any, outcome: list[np.ndarray] | Exception) -> Any:
        """Return the response with the outputs that were asked for, or what stands for the error."""
        if isinstance(outcome, Exception):
            return self.without(request, outcome)
        wanted = request.requested_output_names()
        named = zip(self.outputs, outcome)
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, array) for name, array in named if name in wanted])

    def without(self, request: Any, error: Exception) -> Any:
        """Return the response to a request that was not computed."""
        return adapter.unanswered(request, self.config, error, triton_error(error))


def lost_rows(arrays: list[np.ndarray]) -> np.ndarray:
    """Return which rows of some inputs [n, ...] hold not-a-number: BOOL [n]."""
    lost = np.zeros(len(arrays[0]), bool)
    for array in arrays:
        if array.dtype.kind == "f":
            lost |= np.isnan(array).any(axis=tuple(range(1, array.ndim)))
    return lost


def triton_error(error: Exception) -> Any:
    """Return Triton's error for ours: INVALID_ARGUMENT for text that is none."""
    if isinstance(error, TextError):
        return pb_utils.TritonError(str(error), pb_utils.TritonError.INVALID_ARG)
    return pb_utils.TritonError(f"onnxruntime: {error}")
