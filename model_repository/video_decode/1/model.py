"""Triton adapter: bytes and the plan -> upright RGB frames. See triptych/media/video.py, and video_gpu.py for NVDEC.

The file is read by a decoder, a process of its own: triptych/media/decoders.
"""

import json

from triptych.answer.status import Status
from triptych.media.video import blank
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
        return adapter.each(requests, "video_decode", self.decode, self.nothing, of_request=decoding.caller)

    def nothing(self):
        return self.outputs(blank(Status("failed", "step_failed")))

    def decode(self, caller, video, planned_indices, planned_times):
        if self.gpu:
            return self.outputs(self.gpu.decode(video, planned_indices, planned_times, caller))
        return self.outputs(self.decoders.video(video, planned_times, caller))

    def outputs(self, decoded):
        return {"FRAMES": decoded.frames, "FRAME_TIMES": decoded.times, "VIDEO_STATUS": decoded.status.tensor()}

    def finalize(self):
        self.decoders.close()
