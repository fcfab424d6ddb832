"""Triton adapter of the first step: bytes -> its facts and the frames to sample. See triptych/media/probe.py."""

from triptych.media import probe
from triptych.media.limits import Limits
from triptych.serving import adapter


class TritonPythonModel:
    """Probes one clip a request; refuses what is unreadable or over a limit."""

    def initialize(self, args):
        self.limits = Limits.from_environment()

    def execute(self, requests):
        return adapter.each(requests, "media_probe", self.probe)

    def probe(self, video):
        facts = probe.probe(video, self.limits)
        return {
            "CLIP": facts.clip(),
            "PLANNED_INDICES": facts.planned_indices,
            "PLANNED_TIMES": facts.planned_times,
        }
