"""Triton adapter of the first step: bytes -> its facts and the frames to sample. See triptych/media/probe.py."""

from functools import partial

from triptych.media import probe
from triptych.media.limits import Limits
from triptych.serving import adapter, options


class TritonPythonModel:
    """Probes one clip a request; refuses what is unreadable or over a limit, and options that no step knows."""

    def initialize(self, args):
        self.limits = Limits.from_environment()

    def execute(self, requests):
        return [self.respond(request) for request in requests]

    def respond(self, request):
        (response,) = adapter.each([request], "media_probe", partial(self.probe, adapter.parameters(request)))
        return response

    def probe(self, parameters, video):
        options.check(parameters)
        facts = probe.probe(video, self.limits)
        return {
            "CLIP": facts.clip(),
            "PLANNED_INDICES": facts.planned_indices,
            "PLANNED_TIMES": facts.planned_times,
        }
