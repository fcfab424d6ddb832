"""The clip inside a page, or beside it: embedded under a size, else linked; as browsers play it; with faces hidden."""

from __future__ import annotations

import base64
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from triptych_client.errors import InvalidClip
from triptych_client.picture.hide import hide
from triptych_client.picture.paths import Faces
from triptych_client.picture.video import opened, rewritten
from triptych_client.results import Analysis

MEBIBYTE = 1 << 20
EMBEDDED_BYTES = 16 * MEBIBYTE
"""Clips up to this size are put into the page: a third more as text, and Firefox takes data URLs up to 32 MB."""

LONGEST_CONVERTED_S = 120.0
"""Longer clips that browsers do not play are linked as they are: writing them anew takes about their length."""

CONVERTED_PX = 960
"""Longer side of a copy that is made for a page."""

PLAYED = {
    "mp4": ({"h264", "av1", "vp9", "aac", "mp3", "opus", "flac"}, "mp4"),
    "webm": ({"vp8", "vp9", "av1", "opus", "vorbis"}, "webm"),
    "mp3": ({"mp3"}, "mpeg"),
    "wav": ({"pcm_s16le", "pcm_u8", "pcm_s24le", "pcm_f32le"}, "wav"),
    "ogg": ({"opus", "vorbis", "flac"}, "ogg"),
    "flac": ({"flac"}, "flac"),
}
"""Containers by one of FFmpeg's names, the codecs that every current browser plays in them, and the media type."""

UNSURE = frozenset({".mkv", ".mov", ".qt"})
"""Kin of WebM and MP4 that FFmpeg does not tell apart from them, and that not every browser plays."""


@dataclass(frozen=True)
class Media:
    """What a page plays. `kind` is video or audio; `source` a data URL or a relative URL, "" for nothing.

    `linked` is the file's name where it is not inside the page. `missing` says why there is nothing: none (no file at
    hand), large (a copy with hidden faces, that may not be linked), unreadable; "" otherwise.
    """

    kind: str
    source: str = ""
    linked: str = ""
    missing: str = ""


def media(analysis: Analysis, folder: Path | None, *, redact: bool = False, most_bytes: int = EMBEDDED_BYTES) -> Media:
    """Return what the page of an answer plays.

    `folder` is where the page will lie; None: it is not known, and links are absolute. With `redact` the original is
    neither embedded nor linked.
    """
    kind = "video" if analysis.clip.has_video else "audio"
    path = analysis.clip.path
    if path is None or not Path(path).is_file():
        return Media(kind, missing="none")
    try:
        played = _media_type(path, kind)
        if redact and kind == "video":
            return _copied(analysis, path, kind, most_bytes, redact=True) or Media(kind, missing="large")
        if played and Path(path).stat().st_size <= most_bytes:
            return Media(kind, _data_url(Path(path).read_bytes(), played))
        if not played and (analysis.clip.duration_s or 0) <= LONGEST_CONVERTED_S:
            copy = _copied(analysis, path, kind, most_bytes, redact=False)
            return copy or Media(kind, _url(path, folder), linked=Path(path).name)
    except (InvalidClip, OSError):
        return Media(kind, missing="unreadable")
    return Media(kind, _url(path, folder), linked=Path(path).name)


def _copied(analysis: Analysis, path: str, kind: str, most_bytes: int, *, redact: bool) -> Media | None:
    """Return the clip written anew as browsers play it; None when that is too large."""
    faces = Faces(analysis.faces)
    with tempfile.TemporaryDirectory(prefix="triptych-") as folder:
        copy = Path(folder) / "clip.mp4"
        rewritten(
            analysis,
            path,
            copy,
            lambda image, time_s: hide(image, faces.possible(time_s) if redact else ()),
            CONVERTED_PX,
        )
        small = copy.stat().st_size <= most_bytes
        return Media(kind, _data_url(copy.read_bytes(), f"{kind}/mp4")) if small else None


def _media_type(path: str, kind: str) -> str:
    """Return the media type of a file that browsers play, "" for one that they may not."""
    with opened(path) as container:
        names = set(container.format.name.split(","))
        codecs = {stream.codec_context.name for stream in container.streams if stream.type in ("video", "audio")}
    if Path(path).suffix.lower() in UNSURE:
        return ""
    for name, (known, subtype) in PLAYED.items():
        if name in names and codecs <= known:
            return f"{kind}/{subtype}"
    return ""


def _data_url(content: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def _url(path: str, folder: Path | None) -> str:
    """Return the URL of a file as seen from a page in `folder`."""
    if folder is None:
        return Path(path).resolve().as_uri()
    return quote(os.path.relpath(Path(path).resolve(), folder.resolve()).replace(os.sep, "/"), errors="surrogateescape")
