"""Triton adapter of the last step: all evidence -> the answer. The thinking is in triptych/answer."""

from pathlib import Path

from triptych.answer.answer import Manifest, answer
from triptych.serving import adapter
from triptych.serving.step_counters import Answers


def is_translated(request):
    """Tell whether the texts of a request are in English, whatever was spoken."""
    return adapter.parameters(request).get("task") == "translate"


class TritonPythonModel:
    """Fuses the channels of one clip a request; the request parameter `task` tells the texts' language."""

    def initialize(self, args):
        self.manifest = Manifest.read(Path(args["model_repository"]) / args["model_version"])
        self.answers = Answers()

    def execute(self, requests):
        return adapter.each(requests, "fusion", self.answer, of_request=is_translated)

    def answer(self, translated, **inputs):
        found = answer({name.upper(): array for name, array in inputs.items()}, self.manifest, translated)
        self.answers.count(inputs["clip"], found["CHANNEL_STATUS"])
        return found
