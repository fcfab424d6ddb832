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
from triptych.media.container import Data, codec_name, first_frame, is_stamped, open_clip, read_packets, video_stream

NVDEC_CODECS = frozenset({"h264", "hevc", "vp8", "vp9", "av1", "mpeg4", "mjpeg"})
"""What DALI's mixed decoder documents; profiles and chroma formats that a GPU lacks show as errors."""

MAX_PIXELS = 2 * 4096**2
"""No more than NVDEC's largest picture; the clip's own limit was enforced by media_probe."""


class GpuDecoder:
    """Decodes clips one at a time on one GPU. `device` "cpu" runs the pipeline without one."""

    def __init__(self, device_id: int | None, device: str = "mixed"):
        self.device_id = device_id
        self.device = device
        self.pipeline: Pipeline | None = None

    def decode(self, data: Data, planned_indices: np.ndarray, planned_times: np.ndarray) -> video.Video:
        """Decode the frames planned by `media_probe`: INT32 [n] in order of presentation, and their FP32 [n] times.

        ClipError when the file cannot be opened.
        """
        converter = _converter(data)
        if converter and len(planned_indices):
            try:
                return video.Video(self._run(data, planned_indices, converter), planned_times.astype(np.float32), OK)
            except Exception as error:
                self.pipeline = None  # DALI's pipeline cannot be used after an error
                logging.getLogger(__name__).warning("DALI cannot decode this clip, the processor will: %s", error)
        return video.decode(data, planned_times)

    def _run(self, data: Data, indices: np.ndarray, converter: video.Converter) -> np.ndarray:
        if self.pipeline is None:
            self.pipeline = define(self.device, self.device_id)
            self.pipeline.build()
        size = np.array([converter.height, converter.width], np.float32)
        self.pipeline.feed_input("VIDEO", [np.frombuffer(data, np.uint8)])
        self.pipeline.feed_input("INDICES", [indices.astype(np.int32)])
        self.pipeline.feed_input("SIZE", [size])
        (frames,) = self.pipeline.run()
        return np.stack([converter.orientation.apply(frame) for frame in np.array(frames.as_cpu()[0])])


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


def _converter(data: Data) -> video.Converter | None:
    """Return how pictures are scaled and turned, or None for a clip that is not one for DALI.

    DALI counts every packet as a frame: a clip that an edit list trims, or without times, is for PyAV.
    """
    with open_clip(data) as container:
        stream = video_stream(container)
        if stream is None or stream.codec_context is None or codec_name(stream) not in NVDEC_CODECS:
            return None
        packets = list(read_packets(container, [stream]))
        frame = first_frame(stream, packets, MAX_PIXELS)
        if frame is None or not is_stamped(packets) or any(packet.is_discard for packet in packets):
            return None
        return video.Converter.fitting(stream, frame, video.MAX_SIDE_PX)
