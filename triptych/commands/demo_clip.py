"""The demo clip: a portrait without speech from the catalogue, with spoken lines laid over its sound."""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.container import InputContainer
from av.packet import Packet

from triptych.commands.demo_speech import synthesise
from triptych.media.audio import decode
from triptych.media.container import open_clip, read_packets, video_stream
from triptych_client.contract import SAMPLE_RATE_HZ

LINES = (
    (1.0, "I feel so sad and lonely today."),
    (8.0, "I am afraid that something is wrong."),
    (14.0, "What a wonderful surprise! I am so happy!"),
)
"""What is said, and when in seconds: as the face goes from sad over worried to laughing."""
VOICE = "en-us"
BACKGROUND_GAIN = 0.25
"""How much of the video's own sound is left under the speech (-12 dB)."""
FRAME_SAMPLES = 1024
"""An AAC frame."""


def make(video: bytes) -> bytes:
    """Return an MP4 with the picture of `video` as it is, and the spoken lines over its own sound."""
    target = io.BytesIO()
    with open_clip(video) as source, av.open(target, "w", format="mp4") as sink:
        pictures = video_stream(source)
        if pictures is None:
            raise ValueError("the demo clip needs a video with a picture")
        copied = sink.add_stream_from_template(pictures)
        spoken = sink.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="mono")
        for packet in _pictures(source):
            packet.stream = copied
            sink.mux(packet)
        for frame in (*_frames(_mix(video)), None):
            sink.mux(spoken.encode(frame))
    return target.getvalue()


def speech() -> np.ndarray:
    """Return the spoken lines at their times: float32 [samples], 16 kHz mono."""
    spoken = [(round(start_s * SAMPLE_RATE_HZ), synthesise(text, VOICE)) for start_s, text in LINES]
    track = np.zeros(max(start + len(pcm) for start, pcm in spoken), np.float32)
    for start, pcm in spoken:
        track[start : start + len(pcm)] += pcm
    return track


def _mix(video: bytes) -> np.ndarray:
    """Return the video's sound, lowered, with the speech over it: float32 [samples] in [-1, 1]."""
    background, voice = decode(video, max_seconds=60).pcm, speech()
    track = np.zeros(max(len(background), len(voice)), np.float32)
    track[: len(background)] += BACKGROUND_GAIN * background
    track[: len(voice)] += voice
    return np.clip(track, -1, 1)


def _pictures(source: InputContainer) -> Iterator[Packet]:
    stream = video_stream(source)
    return (packet for packet in read_packets(source, [stream] if stream else []) if packet.dts is not None)


def _frames(track: np.ndarray) -> Iterator[AudioFrame]:
    """Cut a track into the encoder's frames, with their times."""
    for start in range(0, len(track), FRAME_SAMPLES):
        frame = AudioFrame.from_ndarray(track[None, start : start + FRAME_SAMPLES], format="fltp", layout="mono")
        frame.sample_rate = SAMPLE_RATE_HZ
        frame.pts, frame.time_base = start, Fraction(1, SAMPLE_RATE_HZ)
        yield frame
