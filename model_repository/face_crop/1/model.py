"""Triton adapter: frames and detections -> aligned faces with their tracks. See triptych/face/crop.py."""

from triptych.face import crop
from triptych.media.limits import Limits
from triptych.serving import adapter
from triptych_client.contract import CLIP_FIELDS


class TritonPythonModel:
    """Cuts out the faces of one clip a request."""

    def initialize(self, args):
        self.max_faces = crop.max_faces(Limits.from_environment())

    def execute(self, requests):
        return adapter.each(requests, "face_crop", self.crop, lambda: crop.untold().tensors())

    def crop(self, clip, frames, frame_times, boxes, scores, landmarks):
        facts = dict(zip(CLIP_FIELDS, clip))
        source_size = facts["width_px"], facts["height_px"]
        seen = crop.DetectedFrames(frames, frame_times, boxes, scores, landmarks, source_size)
        return crop.crop_all(seen, self.max_faces).tensors()
