"""Triton adapter of the first step: bytes -> its facts and the frames to sample. See triptych/media/probe.py.

The file is read by a decoder, a process of its own: triptych/media/decoders. As the first step, it also refuses what is
wrong with a request.
"""

from triptych.serving import adapter, decoding, options


class TritonPythonModel:
    """Probes one clip a request; refuses what is unreadable or over a limit, and options that no step knows."""

    def initialize(self, args):
        self.decoders = decoding.decoders("media_probe")

    def execute(self, requests):
        return adapter.each(requests, "media_probe", self.probe, of_request=lambda request: request)

    def probe(self, request, video):
        options.check(adapter.parameters(request))
        facts = self.decoders.probe(video, decoding.caller(request))
        return {
            "CLIP": facts.clip(),
            "PLANNED_INDICES": facts.planned_indices,
            "PLANNED_TIMES": facts.planned_times,
        }

    def finalize(self):
        self.decoders.close()
