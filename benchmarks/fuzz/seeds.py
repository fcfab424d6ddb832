"""What is mutated: whole media files, small ones made here by FFmpeg's encoders, or those of a folder."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer

from triptych.errors import ClipError
from triptych.media.container import open_clip

WIDTH_PX, HEIGHT_PX = 96, 80
RATE_HZ = 25
PICTURES = 10
SOUND_SECONDS = 0.5
NOT_MEDIA = {".csv", ".json", ".md", ".txt"}


@dataclass(frozen=True)
class Form:
    """A container with the codecs in it; "" for none. `options` are the muxer's."""

    suffix: str
    muxer: str
    video: str = ""
    audio: str = ""
    rate_hz: int = 48_000
    options: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """The file name of the seed, as in `mp4-h264-aac.mp4`."""
        parts = [self.muxer, *(codec.removeprefix("lib") for codec in (self.video, self.audio) if codec)]
        parts += [key.strip("+") for _, key in self.options]
        return f"{'-'.join(parts)}.{self.suffix}"


FORMS = (
    Form("mp4", "mp4", "libx264", "aac"),
    Form("mp4", "mp4", "libx264", "aac", options=(("movflags", "+frag_keyframe+empty_moov"),)),
    Form("mp4", "mp4", "libx265", "ac3"),
    Form("mp4", "mp4", "libsvtav1", "libopus"),
    Form("mp4", "mp4", "mpeg4", "libmp3lame"),
    Form("mov", "mov", "prores", "pcm_s16le"),
    Form("mov", "mov", "mjpeg", "alac"),
    Form("3gp", "3gp", "h263", "libopencore_amrnb", rate_hz=8_000),
    Form("m4a", "ipod", "", "aac"),
    Form("mkv", "matroska", "libx264", "flac"),
    Form("mkv", "matroska", "ffv1", "pcm_s16le"),
    Form("mov", "mov", "png", "eac3"),
    Form("mkv", "matroska", "rawvideo", "pcm_u8", rate_hz=8_000),
    Form("webm", "webm", "libvpx", "libopus"),
    Form("webm", "webm", "libvpx-vp9", "libopus"),
    Form("avi", "avi", "msmpeg4", "libmp3lame"),
    Form("avi", "avi", "huffyuv", "pcm_s16le"),
    Form("ts", "mpegts", "libx264", "aac"),
    Form("ts", "mpegts", "mpeg2video", "mp2"),
    Form("mpg", "mpeg", "mpeg2video", "mp2"),
    Form("flv", "flv", "flv", "libmp3lame", rate_hz=44_100),
    Form("wmv", "asf", "wmv2", "wmav2"),
    Form("nut", "nut", "mpeg4", "ac3"),
    Form("gif", "gif", "gif"),
    Form("png", "apng", "apng"),
    Form("mp3", "mp3", "", "libmp3lame"),
    Form("flac", "flac", "", "flac"),
    Form("wav", "wav", "", "pcm_s16le"),
    Form("ogg", "ogg", "", "libopus", options=(("page_duration", "20000"),)),
    Form("aac", "adts", "", "aac"),
    Form("tta", "tta", "", "tta"),
    Form("wv", "wv", "", "wavpack"),
)
"""Containers and codecs that people send, and some that only an attacker would."""


ENCODER_OPTIONS = {
    "libx264": {"preset": "ultrafast"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=none"},
    "libsvtav1": {"preset": "12"},
}


@dataclass(frozen=True)
class Seed:
    """A media file to mutate."""

    name: str
    data: bytes


def made() -> list[Seed]:
    """Return one small file of each of FORMS."""
    return [Seed(form.name, encode(form)) for form in FORMS]


def of_folder(folder: Path) -> list[Seed]:
    """Return the files below a folder that are not empty, by their paths in it."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.suffix not in NOT_MEDIA)
    seeds = [Seed(str(file.relative_to(folder)), file.read_bytes()) for file in files]
    return [seed for seed in seeds if seed.data]


def contents(data: bytes) -> tuple[str, tuple[str, ...]]:
    """Return the container and the codecs of a file, as FFmpeg names them; "unreadable" and none for what is none."""
    try:
        with open_clip(data) as container:
            contexts = [stream.codec_context for stream in container.streams if stream.type in ("video", "audio")]
            return container.format.name, tuple(context.name for context in contexts if context)
    except ClipError:
        return "unreadable", ()


@cache
def encode(form: Form) -> bytes:
    """Return a file of a moving picture (PICTURES frames) and a tone (SOUND_SECONDS), as far as the form has them."""
    target = io.BytesIO()
    with av.open(target, "w", format=form.muxer, options=dict(form.options)) as container:
        video = container.add_stream(form.video, rate=RATE_HZ) if form.video else None
        audio = container.add_stream(form.audio, rate=form.rate_hz) if form.audio else None
        if video:
            video.width, video.height = (128, 96) if form.video == "h263" else (WIDTH_PX, HEIGHT_PX)
            video.pix_fmt = _picture_format(form.video)
            video.options = ENCODER_OPTIONS.get(form.video, {})
        if audio:
            audio.layout = "mono" if form.audio == "libopencore_amrnb" else "stereo"
            audio.format = av.Codec(form.audio, "w").audio_formats[0]
            audio.bit_rate = 12_200 if form.audio == "libopencore_amrnb" else 96_000
        if video:
            _encode_all(container, video, _pictures(video.width, video.height))
        if audio:
            _encode_all(container, audio, _tone(form.rate_hz, audio.layout.name, audio.format.name, audio.frame_size))
    return target.getvalue()


def _picture_format(codec: str) -> str:
    """Return yuv420p where a codec has it, else what it prefers (MJPEG: the same in full range)."""
    names = [one.name for one in av.Codec(codec, "w").video_formats or ()]
    if codec == "mjpeg":
        return "yuvj420p"
    return "yuv420p" if not names or "yuv420p" in names else names[0]


def _encode_all(container: OutputContainer, stream, frames: Iterator[av.VideoFrame] | Iterator[av.AudioFrame]) -> None:
    for frame in frames:
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _pictures(width: int, height: int) -> Iterator[av.VideoFrame]:
    """Yield noise over a gradient that drifts: enough of a picture that every kind of block is used."""
    generator = np.random.default_rng(0)
    gradient = np.add.outer(np.arange(height), np.arange(width))
    for number in range(PICTURES):
        noise = generator.integers(0, 64, (height, width, 3))
        picture = (gradient[..., None] + 7 * number + noise) % 256
        frame = av.VideoFrame.from_ndarray(picture.astype(np.uint8), format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, RATE_HZ)
        yield frame


def _tone(rate_hz: int, layout: str, form: str, frame_size: int) -> Iterator[av.AudioFrame]:
    samples = np.sin(2 * np.pi * 300 * np.arange(round(SOUND_SECONDS * rate_hz)) / rate_hz).astype(np.float32)
    whole = av.AudioFrame.from_ndarray(0.5 * samples[None], format="flt", layout="mono")
    whole.sample_rate, whole.pts, whole.time_base = rate_hz, 0, Fraction(1, rate_hz)
    yield from av.AudioResampler(form, layout, rate_hz, frame_size or 1024).resample(whole)
