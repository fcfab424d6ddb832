"""Triton adapter: bytes and the plan -> upright RGB frames. See triptych/media/video.py, and video_gpu.py for NVDEC.

The file is read by a decoder, a process of its own: triptych/media/decoders.
"""

import json
from functools import partial

from triptych.serving import adapter, decoding


class TritonPythonModel:
    """Decodes the planned frames of one clip a request: on the CPU or, with the parameter `decoder: "dali"`, NVDEC."""

    def initialize(self, args):
        parameters = json.loads(args["model_config"]).get("parameters", {})
        self.decoders = decoding.decoders("video_decode")
        self.gpu = None
        if parameters.get("decoder", {}).get("string_value") == "dali":
            from triptych.media.video_gpu import GpuDecoder

            self.gpu = GpuDecoder(self.decoders, device_id=int(args["model_instance_device_id"]))

    def execute(self, requests):
        return [self.respond(request) for request in requests]

    def respond(self, request):
        (response,) = adapter.each([request], "video_decode", partial(self.decode, decoding.caller(request)))
        return response

    def decode(self, caller, video, planned_indices, planned_times):
        if self.gpu:
            decoded = self.gpu.decode(video, planned_indices, planned_times, caller)
        else:
            decoded = self.decoders.video(video, planned_times, caller)
        return {"FRAMES": decoded.frames, "FRAME_TIMES": decoded.times, "VIDEO_STATUS": decoded.status.tensor()}

    def finalize(self):
        self.decoders.close()
