"""Which clips NVDEC can decode, and how its pictures become upright ones of a size, as PyAV reads the container."""

from __future__ import annotations

from triptych.media.container import Data, codec_name, first_frame, is_stamped, open_clip, read_packets, video_stream
from triptych.media.limits import Limits
from triptych.media.pictures import MAX_SIDE_PX, Converter

CODECS = frozenset({"h264", "hevc", "vp8", "vp9", "av1", "mpeg4", "mjpeg"})
"""What DALI's mixed decoder documents; profiles and chroma formats that a GPU lacks show as errors."""


def converter(data: Data, limits: Limits) -> Converter | None:
    """Return how pictures are scaled and turned, or None for a clip that is not one for DALI.

    DALI counts every packet as a frame: a clip that an edit list trims, or without times, is for PyAV. ClipError when
    the file cannot be opened.
    """
    with open_clip(data, limits) as container:
        stream = video_stream(container)
        if stream is None or stream.codec_context is None or codec_name(stream) not in CODECS:
            return None
        packets = list(read_packets(container, [stream]))
        frame = first_frame(stream, packets, limits.frame_px)
        if frame is None or not is_stamped(packets) or any(packet.is_discard for packet in packets):
            return None
        return Converter.fitting(stream, frame, MAX_SIDE_PX)
