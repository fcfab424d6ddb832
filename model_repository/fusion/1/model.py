"""Triton adapter of the last step: all evidence -> the answer. The thinking is in triptych/answer.py and fusion.py."""

from pathlib import Path

from triptych import adapter
from triptych.answer import Manifest, answer


class TritonPythonModel:
    """Fuses the channels of one clip a request."""

    def initialize(self, args):
        self.manifest = Manifest.read(Path(args["model_repository"]) / args["model_version"])

    def execute(self, requests):
        return adapter.each(requests, "fusion", self.answer)

    def answer(self, **inputs):
        return answer({name.upper(): array for name, array in inputs.items()}, self.manifest)
