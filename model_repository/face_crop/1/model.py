"""Triton adapter: frames and detections -> aligned faces with their tracks. See triptych/face/crop.py and tracks.py."""

from triptych.face import crop, tracks
from triptych.media.limits import Limits
from triptych.serving import adapter
from triptych_client.contract import CLIP_FIELDS


class TritonPythonModel:
    """Cuts out the faces of one clip a request."""

    def initialize(self, args):
        self.max_faces = crop.max_faces(Limits.from_environment())

    def execute(self, requests):
        return adapter.each(requests, "face_crop", self.crop, lambda: self.outputs(crop.untold()))

    def crop(self, clip, frames, frame_times, boxes, scores, landmarks):
        facts = dict(zip(CLIP_FIELDS, clip))
        source_size = facts["width_px"], facts["height_px"]
        seen = crop.DetectedFrames(frames, frame_times, boxes, scores, landmarks, source_size)
        return self.outputs(crop.crop_all(seen, self.max_faces))

    def outputs(self, found):
        """Return the step's tensors."""
        return {
            "FACES": found.crops,
            "FACE_TIMES": found.times,
            "FACE_TRACKS": found.tracks,
            "TRACK_POSITIONS": tracks.positions(found.tracks, found.times),
            "FACE_BOXES": found.boxes,
            "FACE_SCORES": found.scores,
            "FACE_COUNT": found.count,
            "FACES_FOUND": found.found,
            "FACE_STANDS_FOR": found.stands_for,
            "FACE_MOUTHS": found.mouths,
            "FACE_VISIBLE": found.visible,
            "TRACK_LOOKS": found.looks,
        }
