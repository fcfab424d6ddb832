"""What bombs are built from: containers written element by element, and pictures and sounds of nothing."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Sequence
from fractions import Fraction
from functools import cache

import av
import numpy as np

from benchmarks.fuzz import matroska, mp4, tree
from benchmarks.fuzz.matroska import number
from benchmarks.fuzz.seeds import Form, encode
from benchmarks.fuzz.tree import Forest, Node

H264_AAC = Form("mp4", "mp4", "libx264", "aac")
VP8 = Form("webm", "webm", "libvpx")
SIDE_PX = 4096
"""The largest side that the limits allow."""


def wav(rate_hz: int, channels: int = 1, seconds: float = 0.0, size: int = 2_000) -> bytes:
    """Return PCM of 8 bit with any rate and number of channels in its header; `size` bytes unless `seconds` says."""
    size = round(seconds * rate_hz * channels) if seconds else size
    body = b"\x80\x90\x70" * (size // 3 + 1)
    form = struct.pack("<HHIIHH", 1, channels, rate_hz, rate_hz * channels & 0xFFFFFFFF, channels & 0xFFFF, 8)
    chunks = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", size) + body[:size]
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks


def png(width: int, height: int) -> bytes:
    """Return a black picture, 1 byte a thousand pixels (ISO/IEC 15948)."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packer = zlib.compressobj(9, wbits=-15)
    rows_at_once = 100  # packed once, and repeated: a full flush makes a block that stands alone
    block = packer.compress(bytes((1 + 3 * width) * rows_at_once)) + packer.flush(zlib.Z_FULL_FLUSH)
    blocks, rest = divmod(height, rows_at_once)
    last = packer.compress(bytes((1 + 3 * width) * rest)) + packer.flush()
    zeros = (1 + 3 * width) * height
    checksum = (zeros % 65_521) << 16 | 1  # Adler-32 of zeros: RFC 1950, 8.2
    rows = b"\x78\xda" + block * blocks + last + checksum.to_bytes(4, "big")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def clip_with(content: dict[bytes, dict[int, bytes]]) -> bytes:
    """Return a clip with bytes written into boxes: by box, by offset."""
    forest = mp4.with_header_last(mp4.parse(encode(H264_AAC)))
    for name, values in content.items():
        forest = mp4.changed(forest, name, values)
    return tree.written(forest, mp4.FORMAT)


def with_tables(data: bytes, count: int, size: int, offsets: Sequence[int], samples_per_chunk: int) -> bytes:
    """Return a clip whose video track has so many samples of one size, one of each chunk at these offsets."""
    forest = mp4.with_header_last(mp4.parse(data))
    tables = {
        b"stts": struct.pack(">IIII", 0, 1, count, 1),
        b"stsc": struct.pack(">IIIII", 0, 1, 1, samples_per_chunk, 1),
        b"stsz": struct.pack(">III", 0, size, count),
        b"stco": struct.pack(f">II{len(offsets)}I", 0, len(offsets), *offsets),
    }
    for name in (*tables, b"ctts", b"stss", b"edts"):
        path = next((path for path in tree.paths(forest) if tree.at(forest, path).name == name), None)
        if path:
            forest = tree.put(forest, path, (Node(name, tables[name]),) if name in tables else ())
    return tree.written(forest, mp4.FORMAT)


def mkv(
    tracks: Sequence[Node],
    blocks: Sequence[tuple[int, int, bytes]],
    *,
    duration: float | None = None,
    flags: int = 0x80,
    extra: Forest = (),
) -> bytes:
    """Return a file with blocks of (track, time in ms, content), a cluster for each 16 s."""
    clusters: list[list[Node]] = []
    start_ms = -math.inf
    for track, time_ms, content in blocks:
        if not 0 <= time_ms - start_ms < 16_000:
            start_ms = max(time_ms, 0)
            clusters.append([number(matroska.TIMESTAMP, start_ms)])
        header = matroska.size_of(track) + struct.pack(">hB", time_ms - start_ms, flags)
        clusters[-1].append(Node(matroska.SIMPLE_BLOCK, header + content))
    known = () if duration is None else (Node(matroska.DURATION, struct.pack(">d", duration)),)
    info = Node(matroska.INFO, children=(number(matroska.TIMESTAMP_SCALE, 1_000_000), *known))
    parts = (info, Node(matroska.TRACKS, children=tuple(tracks)), *extra)
    parts += tuple(Node(matroska.CLUSTER, children=tuple(cluster)) for cluster in clusters)
    header = Node(matroska.EBML, children=(Node(matroska.DOC_TYPE, b"matroska"),))
    return tree.written((header, Node(matroska.SEGMENT, children=parts)), matroska.FORMAT)


def video_track(codec: str, width: int, height: int, private: bytes = b"", extra: Forest = (), number: int = 1) -> Node:
    """Return the description of a track of pictures; `extra` are further elements of it."""
    size = (matroska.number(matroska.PIXEL_WIDTH, width), matroska.number(matroska.PIXEL_HEIGHT, height))
    inside = tuple(node for node in extra if node.name == matroska.COLOUR_SPACE)
    outside = tuple(node for node in extra if node not in inside)
    return _track(1, codec, private, Node(matroska.VIDEO, children=(*size, *inside)), outside, number)


def audio_track(codec: str, rate_hz: float, channels: int, bits: int, extra: Forest = ()) -> Node:
    """Return the description of a track of sound; `bits` of 0 are not stated, `extra` are further elements of it."""
    inside = (
        Node(matroska.SAMPLING_RATE, struct.pack(">d", rate_hz)),
        number(matroska.CHANNELS, channels),
        *((number(matroska.BIT_DEPTH, bits),) if bits else ()),
    )
    return _track(2, codec, b"", Node(matroska.AUDIO, children=inside), extra, 1)


def _track(kind: int, codec: str, private: bytes, inside: Node, extra: Forest, index: int) -> Node:
    return Node(
        matroska.TRACK,
        children=(
            number(matroska.TRACK_NUMBER, index),
            number(matroska.TRACK_UID, index),
            number(matroska.TRACK_TYPE, kind),
            Node(matroska.CODEC_ID, codec.encode()),
            *((Node(matroska.CODEC_PRIVATE, private),) if private else ()),
            inside,
            *extra,
        ),
    )


def zlib_packing() -> Node:
    """Return the element that says that a track's blocks are packed by zlib (algorithm 0)."""
    packed = Node(matroska.COMPRESSION, children=(number(matroska.ALGORITHM, 0),))
    return Node(matroska.ENCODINGS, children=(Node(matroska.ENCODING, children=(packed,)),))


@cache
def vp8(side_px: int = 0) -> bytes:
    """Return a key frame of the seeds' size, or of a black square."""
    if side_px:
        encoder = av.CodecContext.create("libvpx", "w")
        encoder.width = encoder.height = side_px
        encoder.pix_fmt, encoder.time_base = "yuv420p", Fraction(1, 1000)
        encoder.options = {"deadline": "realtime", "cpu-used": "16"}
        frame = av.VideoFrame.from_ndarray(np.zeros((side_px * 3 // 2, side_px), np.uint8), format="yuv420p")
        return bytes([*encoder.encode(frame), *encoder.encode(None)][0])
    forest = matroska.parse(encode(VP8))
    blocks = (tree.at(forest, path) for path in tree.paths(forest))
    return next(node.content[4:] for node in blocks if node.name == matroska.SIMPLE_BLOCK)


def bitmap_header(codec: bytes) -> bytes:
    """Return a BITMAPINFOHEADER, which names a codec of Video for Windows."""
    return struct.pack("<IiiHH4sIiiII", 40, SIDE_PX, SIDE_PX, 1, 24, codec, 0, 0, 0, 0, 0)


def ogg_page(page: bytes, serial: int) -> bytes:
    """Return a page under another serial number, with its checksum (RFC 3533, 6; CRC-32 0x04c11db7, unreflected)."""
    blank = page[:14] + struct.pack("<I", serial) + page[18:22] + bytes(4) + page[26:]
    checksum = 0
    for byte in blank:
        checksum ^= byte << 24
        for _ in range(8):
            checksum = (checksum << 1 ^ (0x04C11DB7 if checksum & 0x80000000 else 0)) & 0xFFFFFFFF
    return blank[:22] + struct.pack("<I", checksum) + blank[26:]


def mp3_after(frame: bytes, count: int) -> bytes:
    """Return an MP3 with a frame of ID3v2.3 many times before it."""
    size = len(frame) * count
    syncsafe = bytes(size >> shift & 127 for shift in (21, 14, 7, 0))
    return b"ID3\3\0\0" + syncsafe + frame * count + encode(Form("mp3", "mp3", "", "libmp3lame"))


def flac_constant(index: int) -> bytes:
    """Return a frame of 65535 samples in eight channels, all zero (RFC 9639, 9): constant subframes."""
    # Block size and rate are those that follow the header: 0b0111 (16 bit) and 0b1110 (in tens of Hz).
    number_of_frame = chr(index).encode()
    header = bytes((0xFF, 0xF8, 0x7E, 0x78)) + number_of_frame + struct.pack(">HH", 65_534, 65_535)
    header += bytes((_crc(header, 8, 0x07),))
    frame = header + bytes(3) * 8
    return frame + _crc(frame, 16, 0x8005).to_bytes(2, "big")


def _crc(data: bytes, bits: int, polynomial: int) -> int:
    top, mask = 1 << (bits - 1), (1 << bits) - 1
    value = 0
    for byte in data:
        value ^= byte << (bits - 8)
        for _ in range(8):
            value = (value << 1 ^ (polynomial if value & top else 0)) & mask
    return value
