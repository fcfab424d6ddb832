"""Triton backend "dali" for hosts without the native one: the same config.pbtxt, on the DALI wheel's CPU operators.

A Python-based backend: Triton runs this file for every model whose config says `backend: "dali"`. The pipeline is
`model.dali`, or `dali.py` with one function marked `@autoserialize`, looked for in this order as the native backend
does. Its external sources carry the names of the config's inputs; its outputs come in the order of the config's.
Requests that the dynamic batcher hands over together run as one DALI batch; if that fails, each runs alone, so that a
bad request fails by itself. A pipeline that failed is built anew: DALI's own cannot be used again.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import tempfile
from itertools import pairwise
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from nvidia.dali import Pipeline
from nvidia.dali._utils.autoserialize import invoke_autoserialize

from triptych.errors import CallerLeft
from triptych.resources import threads
from triptych.serving import adapter


def serialised(folder: str) -> str:
    """Return the bytes of the pipeline in a version folder."""
    path = os.path.join(folder, "model.dali")
    source = os.path.join(folder, "dali.py")
    if not os.path.isfile(path) and not os.path.isfile(source):
        raise FileNotFoundError(f"neither model.dali nor dali.py is in {folder}")
    with tempfile.TemporaryDirectory() as scratch:
        if not os.path.isfile(path):
            path = os.path.join(scratch, "model.dali")
            invoke_autoserialize(imported(source), path)
        with open(path, "rb") as file:
            return file.read()


def imported(source: str) -> Any:
    """Import dali.py under a name of its own."""
    spec = importlib.util.spec_from_file_location("triptych_dali_pipeline", source)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class TritonPythonModel:
    """One instance of a DALI pipeline."""

    def initialize(self, args: dict[str, str]) -> None:
        self.config = config = json.loads(args["model_config"])
        folder = os.path.join(args["model_repository"], args["model_version"])
        parameter = {key: value["string_value"] for key, value in config.get("parameters", {}).items()}
        self.threads = threads(int(parameter.get("num_threads", 2)))
        self.batch_size = config["max_batch_size"]
        self.inputs = [tensor["name"] for tensor in config["input"]]
        self.outputs = [tensor["name"] for tensor in config["output"]]
        try:
            self.definition = serialised(folder)
            self.pipeline = self.build()
            self.check_names()
        except Exception as error:
            raise pb_utils.TritonModelException(f"{args['model_name']}: cannot load the pipeline: {error}") from error

    def build(self) -> Pipeline:
        """Return a fresh pipeline from its definition."""
        pipeline = Pipeline.deserialize(
            serialized_pipeline=self.definition,
            batch_size=self.batch_size,
            num_threads=self.threads,
            device_id=None,
            prefetch_queue_depth=1,
        )
        pipeline.build()
        return pipeline

    def check_names(self) -> None:
        """Refuse a config that does not fit the pipeline: names of inputs, number of outputs."""
        for name in self.inputs:
            self.pipeline.input_feed_count(name)  # raises for a name that is no external source
        if self.pipeline.num_outputs != len(self.outputs):
            raise ValueError(f"it has {self.pipeline.num_outputs} outputs, config.pbtxt names {self.outputs}")

    def execute(self, requests: list[Any]) -> list[Any]:
        live = [index for index, request in enumerate(requests) if not adapter.has_left(request)]
        outcomes = dict(zip(live, self.run_group([self.read(requests[index]) for index in live])))
        left = CallerLeft()
        return [self.respond(request, outcomes.get(index, left)) for index, request in enumerate(requests)]

    def read(self, request: Any) -> list[np.ndarray]:
        """Return the request's inputs, each [batch, ...]."""
        return [pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in self.inputs]

    def run_group(self, members: list[list[np.ndarray]]) -> list[list[np.ndarray] | Exception]:
        """Run requests as one DALI batch; one by one if that fails. Returns an outcome for each."""
        if not members:
            return []
        try:
            samples = self.run([[row for array in column for row in array] for column in zip(*members)])
            return list(zip(*(regroup(output, [len(member[0]) for member in members]) for output in samples)))
        except Exception as error:
            self.pipeline = self.build()
            if len(members) == 1:
                return [error]
            return [self.run_group([member])[0] for member in members]

    def run(self, columns: list[list[np.ndarray]]) -> list[list[np.ndarray]]:
        """Run the pipeline once: samples of each input -> samples of each output."""
        for name, rows in zip(self.inputs, columns):
            self.pipeline.feed_input(name, rows)
        return [[np.array(sample) for sample in output] for output in self.pipeline.run()]

    def respond(self, request: Any, outcome: list[np.ndarray] | Exception) -> Any:
        """Return the response with the outputs that were asked for, or what stands for the error."""
        if isinstance(outcome, Exception):
            return adapter.unanswered(request, self.config, outcome, pb_utils.TritonError(f"dali: {outcome}"))
        wanted = request.requested_output_names()
        named = zip(self.outputs, outcome)
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, array) for name, array in named if name in wanted])


def regroup(samples: list[np.ndarray], counts: list[int]) -> list[np.ndarray]:
    """Return the samples of each request stacked to [batch, ...]."""
    starts = np.cumsum([0, *counts])
    return [np.stack(samples[start:stop]) for start, stop in pairwise(starts)]
