"""Triton adapter: bytes and the plan -> upright RGB frames. See triptych/media/video.py, and video_gpu.py for NVDEC."""

import json

from triptych.media.video import decode
from triptych.serving import adapter


class TritonPythonModel:
    """Decodes the planned frames of one clip a request: on the CPU or, with the parameter `decoder: "dali"`, NVDEC."""

    def initialize(self, args):
        parameters = json.loads(args["model_config"]).get("parameters", {})
        self.gpu = None
        if parameters.get("decoder", {}).get("string_value") == "dali":
            from triptych.media.video_gpu import GpuDecoder

            self.gpu = GpuDecoder(device_id=int(args["model_instance_device_id"]))

    def execute(self, requests):
        return adapter.each(requests, "video_decode", self.decode)

    def decode(self, video, planned_indices, planned_times):
        decoded = self.gpu.decode(video, planned_indices, planned_times) if self.gpu else decode(video, planned_times)
        return {"FRAMES": decoded.frames, "FRAME_TIMES": decoded.times, "VIDEO_STATUS": decoded.status.tensor()}
