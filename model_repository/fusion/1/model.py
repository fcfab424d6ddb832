"""Triton adapter of the last step: all evidence -> the answer. The thinking is in triptych/answer."""

from functools import partial
from pathlib import Path

from triptych.answer.answer import Manifest, answer
from triptych.serving import adapter
from triptych.serving.step_counters import Answers


class TritonPythonModel:
    """Fuses the channels of one clip a request; the request parameter `task` tells the texts' language."""

    def initialize(self, args):
        self.manifest = Manifest.read(Path(args["model_repository"]) / args["model_version"])
        self.answers = Answers()

    def execute(self, requests):
        return [self.respond(request) for request in requests]

    def respond(self, request):
        translated = adapter.parameters(request).get("task") == "translate"
        (response,) = adapter.each([request], "fusion", partial(self.answer, translated))
        return response

    def answer(self, translated, **inputs):
        found = answer({name.upper(): array for name, array in inputs.items()}, self.manifest, translated)
        self.answers.count(inputs["clip"], found["CHANNEL_STATUS"])
        return found
