"""Triton adapter of speech recognition: the requests of a batch are decoded together. See triptych/words/whisper."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from triptych import providers
from triptych.resources import threads
from triptych.serving import adapter
from triptych.words.whisper.decoding import DecodingOptions
from triptych.words.whisper.model import WINDOW_S, Device, Running
from triptych.words.whisper.recogniser import Recogniser
from triptych.words.whisper.transcripts import UNHEARD, tensors
from triptych_client import contract

STEP = contract.STEPS["whisper"]


@dataclass
class Job:
    """One request that can be answered."""

    request: Any
    log_mel: np.ndarray
    pieces: np.ndarray
    options: DecodingOptions


class TritonPythonModel:
    """Recognises the speech of each chunk; request parameters `task` and `language` are those of all its chunks."""

    def initialize(self, args):
        given = json.loads(args["model_config"])["parameters"]
        parameter = {name: value["string_value"] for name, value in given.items()}
        place = parameter.get(providers.PARAMETER, "")
        device = Device.of_instance(args["model_instance_kind"], int(args["model_instance_device_id"]), place)
        running = Running(
            threads(int(parameter["intra_op_thread_count"])),
            device,
            float(parameter.get("silence_s", WINDOW_S)),
        )
        self.recogniser = Recogniser(Path(args["model_repository"]) / args["model_version"], running)
        providers.tell(STEP.name, self.recogniser.model.encoder)

    def execute(self, requests):
        outcomes = [self.job(request) for request in requests]
        jobs = [outcome for outcome in outcomes if isinstance(outcome, Job)]
        answers = iter(self.answers(jobs))
        return [next(answers) if isinstance(outcome, Job) else outcome for outcome in outcomes]

    def job(self, request):
        """Return the job of a request, or the response that stands for what it cannot be told."""
        if adapter.has_left(request):
            return adapter.without_caller(request, STEP)
        try:
            options = self.recogniser.options(adapter.parameters(request))
            return Job(request, *adapter.read(request, STEP).values(), options)
        except Exception as error:
            return self.unheard(request, error)

    def answers(self, jobs):
        """Decode all jobs together; one by one if that fails, so that a bad request fails by itself."""
        try:
            return self.decode(jobs)
        except Exception as error:
            if len(jobs) == 1:
                return [self.unheard(jobs[0].request, error)]
            return [self.answers([job])[0] for job in jobs]

    def unheard(self, request, error):
        """Return the response to a request whose speech could not be recognised."""
        rows = len(adapter.read(request, STEP)["CHUNK_PIECES"])
        return adapter.failure(request, error, STEP, lambda: tensors([UNHEARD] * rows))

    def decode(self, jobs):
        """Return a response for each job."""
        if not jobs:
            return []
        transcripts = self.recogniser.transcribe(
            np.concatenate([job.log_mel for job in jobs]),
            np.concatenate([job.pieces for job in jobs]),
            [replace(job.options, clip=number) for number, job in enumerate(jobs) for _ in job.pieces],
        )
        rows = iter(transcripts)
        return [adapter.response(job.request, STEP, tensors([next(rows) for _ in job.pieces])) for job in jobs]
