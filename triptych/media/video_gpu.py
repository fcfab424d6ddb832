"""Step `video_decode` on a GPU: NVDEC through DALI, with the processor for what NVDEC does not decode.

DALI's *native* Triton backend does not fit here: it fails a whole batch for one bad file, wants a batch axis that the
ensemble does not have, and NVDEC reads a few formats only. So this is DALI's Python API behind the same adapter.

Not run on a GPU yet. The tests run the same pipeline on the CPU, where DALI decodes VP8, VP9 and MJPEG.
"""

from __future__ import annotations

import logging

import numpy as np
from nvidia.dali import fn
from nvidia.dali.pipeline import Pipeline
from nvidia.dali.types import DALIDataType, DALIInterpType

from triptych.answer.status import OK
from triptych.media import video
from triptych.media.container import Data
from triptych.media.decoders.handles import Caller
from triptych.media.decoders.pool import NOBODY
from triptych.media.decoders.steps import Decoders
from triptych.media.pictures import Converter


class GpuDecoder:
    """Decodes clips one at a time on one GPU. `device` "cpu" runs the pipeline without one.

    `decoders` do what the processor does: they look at the container, and decode what NVDEC does not.
    """

    def __init__(self, decoders: Decoders, device_id: int | None, device: str = "mixed"):
        self.decoders = decoders
        self.device_id = device_id
        self.device = device
        self.pipeline: Pipeline | None = None

    def decode(
        self, data: Data, planned_indices: np.ndarray, planned_times: np.ndarray, caller: Caller = NOBODY
    ) -> video.Video:
        """Decode the frames planned by `media_probe`: INT32 [n] in order of presentation, and their FP32 [n] times."""
        converter = self.decoders.converter(data, caller)
        if converter and len(planned_indices):
            try:
                return video.Video(self._run(data, planned_indices, converter), planned_times.astype(np.float32), OK)
            except Exception as error:
                self.pipeline = None  # DALI's pipeline cannot be used after an error
                logging.getLogger(__name__).warning("DALI cannot decode this clip, the processor will: %s", error)
        return self.decoders.video(data, planned_times, caller)

    def _run(self, data: Data, indices: np.ndarray, converter: Converter) -> np.ndarray:
        if self.pipeline is None:
            self.pipeline = define(self.device, self.device_id)
            self.pipeline.build()
        size = np.array([converter.height, converter.width], np.float32)
        self.pipeline.feed_input("VIDEO", [np.frombuffer(data, np.uint8)])
        once, places = np.unique(indices.astype(np.int32), return_inverse=True)
        self.pipeline.feed_input("INDICES", [once])
        self.pipeline.feed_input("SIZE", [size])
        (frames,) = self.pipeline.run()
        return np.stack([converter.orientation.apply(frame) for frame in np.array(frames.as_cpu()[0])])[places]


def define(device: str, device_id: int | None) -> Pipeline:
    """Return the pipeline: the bytes of a file, frame indices and a size (height, width) -> FRAMES [n, H, W, 3]."""
    pipeline = Pipeline(batch_size=1, num_threads=2, device_id=device_id, prefetch_queue_depth=1)
    with pipeline:
        data = fn.external_source(name="VIDEO", device="cpu", dtype=DALIDataType.UINT8, ndim=1)
        indices = fn.external_source(name="INDICES", device="cpu", dtype=DALIDataType.INT32, ndim=1)
        size = fn.external_source(name="SIZE", device="cpu", dtype=DALIDataType.FLOAT, ndim=1)
        frames = fn.decoders.video(data, device=device, frames=indices)
        pipeline.set_outputs(fn.resize(frames, size=size, interp_type=DALIInterpType.INTERP_LINEAR, antialias=True))
    return pipeline
