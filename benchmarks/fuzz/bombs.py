"""Small files that ask for a lot: each is one lie or one excess, of every kind that a container or a codec allows.

Each is a function without arguments in BOMBS; all stay below the limit of 64 MiB, most below one.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Callable

from benchmarks.fuzz import matroska, mp4, tree
from benchmarks.fuzz.making import (
    H264_AAC,
    SIDE_PX,
    VP8,
    audio_track,
    bitmap_header,
    clip_with,
    flac_constant,
    mkv,
    mp3_after,
    ogg_page,
    png,
    video_track,
    vp8,
    wav,
    with_tables,
    zlib_packing,
)
from benchmarks.fuzz.matroska import number
from benchmarks.fuzz.seeds import Form, encode
from benchmarks.fuzz.tree import Node

GIF = Form("gif", "gif", "gif")

MINUTE_MS = 60_000


# Huge dimensions


def mp4_states_65535_px() -> bytes:
    """Return a header that states a picture far over the limit."""
    return clip_with({b"avc1": {24: b"\xff\xff\xff\xff"}, b"tkhd": {76: b"\xff\xff\0\0\xff\xff\0\0"}})


def vp8_frames_16383_px() -> bytes:
    """Return a modest header over key frames of 16383 x 16383 px (RFC 6386, 9.1: the size is in each key frame)."""
    start = b"\x9d\x01\x2a"
    before, *after = encode(VP8).split(start)
    return start.join([before, *(struct.pack("<HH", 16383, 16383) + part[4:] for part in after)])


def vp8_frames_grow_to_5760_px() -> bytes:
    """Return a small first picture, then a minute of the largest that a decoder may make, each from few bytes."""
    large = vp8(5_760)
    later = [(1, time_ms, large) for time_ms in range(500, MINUTE_MS, 500)]
    return mkv([video_track("V_VP8", 96, 80)], [(1, 0, vp8()), *later])


def gif_canvas_65535_px() -> bytes:
    """Return one pixel on a canvas of 4 thousand million."""
    data = encode(GIF)
    return data[:6] + b"\xff\xff\xff\xff" + data[10:]


def png_20000_px() -> bytes:
    """Return one picture of 400 million pixels in 1 MB."""
    return png(20_000, 20_000)


def png_frames_4096_px() -> bytes:
    """Return a minute of pictures as large as is allowed, each from 20 kB: all are sampled."""
    picture = png(SIDE_PX, SIDE_PX)
    track = video_track("V_MS/VFW/FOURCC", SIDE_PX, SIDE_PX, bitmap_header(b"MPNG"))
    return mkv([track], [(1, time_ms, picture) for time_ms in range(0, MINUTE_MS, 500)])


# Little bytes, many frames


def mkv_zlib_raw_frames() -> bytes:
    """Return ten thousand raw pictures, each 3 MB of zeros that zlib makes 3 kB of (RFC 9559, 5.1.4.1.31.6)."""
    picture = zlib.compress(bytes(1024 * 1024 * 3), 9)
    track = video_track("V_UNCOMPRESSED", 1024, 1024, b"", (Node(matroska.COLOUR_SPACE, b"RV24"), zlib_packing()))
    return mkv([track], [(1, 6 * index, picture) for index in range(MINUTE_MS // 6)])


def mkv_zlib_raw_sound() -> bytes:
    """Return a minute of sound of 2 MB a packet, packed to 2 kB each, all at once."""
    sound = zlib.compress(bytes(2 << 20), 9)
    track = audio_track("A_PCM/INT/LIT", 48_000, 1, 16, (zlib_packing(),))
    return mkv([track], [(1, index % 60_000, sound) for index in range(2_000)])


def mp4_samples_share_their_bytes() -> bytes:
    """Return a hundred thousand samples of the same 10 kB: 1 GB to read out of 1.2 MB."""
    data = encode(H264_AAC)
    first_sample = data.index(b"mdat") + 4
    count = 100_000
    return with_tables(data, count=count, size=10_000, offsets=[first_sample] * count, samples_per_chunk=1)


def mp4_samples_share_a_megabyte() -> bytes:
    """Return twenty thousand samples of the same megabyte: 20 GB to read out of 1.2 MB."""
    data = encode(H264_AAC) + (1 << 20).to_bytes(4, "big") + b"free" + bytes((1 << 20) - 8)
    count = 20_000
    return with_tables(data, count=count, size=1 << 20, offsets=[len(data) - (1 << 20)] * count, samples_per_chunk=1)


def mp4_fifty_million_samples() -> bytes:
    """Return a table that says in 20 bytes that there are 50 million samples of 1 byte: the index alone is 2 GB."""
    data = encode(H264_AAC)
    first_sample = data.index(b"mdat") + 4
    return with_tables(data, count=50_000_000, size=1, offsets=[first_sample], samples_per_chunk=50_000_000)


def packets_5000_a_second() -> bytes:
    """Return as many packets as are let through: 300,000 of one byte."""
    track = audio_track("A_PCM/INT/LIT", 8_000, 1, 8)
    return mkv([track], [(1, index // 5, b"\x80") for index in range(5 * MINUTE_MS)])


def laced_frames() -> bytes:
    """Return blocks of 256 laced frames of nothing: a million packets in a few MB."""
    lace = bytes((255,)) + b"\x81" * 256
    track = audio_track("A_PCM/INT/LIT", 8_000, 1, 8)
    return mkv([track], [(1, index % MINUTE_MS, lace) for index in range(4_000)], flags=0x84)


# Streams


def mkv_five_thousand_tracks() -> bytes:
    """Return more tracks than anybody recorded."""
    tracks = [video_track("V_VP8", 64, 64, number=index + 1) for index in range(5_000)]
    return mkv(tracks, [(1, 0, b"\0")])


def mp4_five_thousand_tracks() -> bytes:
    """Return the tracks of a clip, two and a half thousand times over."""
    forest = mp4.with_header_last(mp4.parse(encode(H264_AAC)))
    tracks = [path for path in tree.paths(forest) if tree.at(forest, path).name == b"trak"]
    for path in reversed(tracks):
        forest = tree.put(forest, path, (tree.at(forest, path),) * 2_500)
    return tree.written(forest, mp4.FORMAT)


def ogg_five_thousand_streams() -> bytes:
    """Return the first page of an Ogg file under five thousand serial numbers (RFC 3533, 6)."""
    data = encode(Form("ogg", "ogg", "", "libopus"))
    page = data[: data.index(b"OggS", 4)]
    return b"".join(ogg_page(page, serial) for serial in range(1, 5_001)) + data


def ts_eight_thousand_pids() -> bytes:
    """Return packets of every PID that a transport stream can have."""
    data = encode(Form("ts", "mpegts", "mpeg2video", "mp2"))
    stray = b"".join(
        bytes((0x47, 0x40 | pid >> 8, pid & 255, 0x10)) + b"\0\0\1\xe0\0\0\x80\x80\5!\0\1\0\1" + b"\xff" * 170
        for pid in range(32, 8191)
    )
    return data + stray


# Durations and rates


def mp4_states_endless_duration() -> bytes:
    """Return durations of the movie, its tracks and its media that are the largest number."""
    most = b"\xff\xff\xff\xff"
    return clip_with({b"mvhd": {16: most}, b"tkhd": {20: most}, b"mdhd": {16: most}, b"elst": {8: most}})


def mp4_first_sample_is_endless() -> bytes:
    """Return one sample that is shown for 2^32 - 1 units."""
    return clip_with({b"stts": {8: b"\0\0\0\1\xff\xff\xff\xff"}})


def mp4_time_scale_of_one() -> bytes:
    """Return seconds for milliseconds: half a second becomes an hour and more."""
    return clip_with({b"mdhd": {12: b"\0\0\0\1"}})


def mp4_time_scale_of_2_to_the_31() -> bytes:
    """Return so fine a clock that everything happens at once."""
    return clip_with({b"mdhd": {12: b"\x7f\xff\xff\xff"}, b"mvhd": {12: b"\x7f\xff\xff\xff"}})


def mp4_four_thousand_million_edits() -> bytes:
    """Return an edit list whose count is the largest number."""
    return clip_with({b"elst": {4: b"\xff\xff\xff\xff"}})


def mkv_states_endless_duration() -> bytes:
    """Return a duration of 10^300 ms."""
    return mkv([video_track("V_VP8", 64, 64)], [(1, 0, vp8())], duration=1e300)


def mkv_duration_is_no_number() -> bytes:
    """Return a duration that is NaN, and a negative rate."""
    track = audio_track("A_PCM/INT/LIT", -1.0, 1, 16)
    return mkv([track], [(1, 0, bytes(64))], duration=math.nan)


def one_frame_an_hour() -> bytes:
    """Return eight pictures, an hour between two."""
    return mkv([video_track("V_VP8", 96, 80)], [(1, 3_600_000 * hour, vp8()) for hour in range(8)])


def one_frame_in_a_minute() -> bytes:
    """Return two pictures, and a minute that nothing happens in."""
    return mkv([video_track("V_VP8", 96, 80)], [(1, time_ms, vp8()) for time_ms in (0, 59_900)])


def times_run_backwards() -> bytes:
    """Return pictures from the last to the first, and negative times."""
    return mkv([video_track("V_VP8", 96, 80)], [(1, time_ms, vp8()) for time_ms in range(5_000, -500, -100)])


def a_thousand_million_frames_a_second() -> bytes:
    """Return a default duration of one nanosecond."""
    rate = (number(matroska.DEFAULT_DURATION, 1),)
    return mkv([video_track("V_VP8", 96, 80, extra=rate)], [(1, index, vp8()) for index in range(600)])


# Sound


def overlapping_sound() -> bytes:
    """Return packets of pcm_u8 at 100 Hz that all begin within the first second: 95 kB that are hours of sound."""
    track = audio_track("A_PCM/INT/LIT", 100, 1, 8)
    return mkv([track], [(1, 200 * (index % 5), bytes(range(100))) for index in range(950)])


def overlapping_sound_of_2_mb() -> bytes:
    """Return the same in packets of 2 kB: 1.8 MB that are five hours of sound at a hundredth of a second."""
    track = audio_track("A_PCM/INT/LIT", 100, 1, 8)
    return mkv([track], [(1, 11 * (index % 2), bytes(2_000)) for index in range(900)])


def opus_of_a_byte() -> bytes:
    """Return packets of one byte that Opus makes 60 ms of each: 50 thousand in one clip (RFC 6716, 3.1)."""
    head = b"OpusHead\1\2" + struct.pack("<HIH", 0, 48_000, 0) + b"\0"
    track = audio_track("A_OPUS", 48_000, 2, 0, (Node(matroska.CODEC_PRIVATE, head),))
    return mkv([track], [(1, index % 60_000, b"\x18") for index in range(50_000)])


def flac_of_silence() -> bytes:
    """Return a minute of eight channels at 655 kHz, all the same sample: nearly no bytes."""
    frames = b"".join(flac_constant(index) for index in range(600))
    info = struct.pack(">HH", 65_535, 65_535) + bytes(6) + (655_350 << 44 | 7 << 41 | 15 << 36).to_bytes(8, "big")
    return b"fLaC\x80\0\0\x22" + info + bytes(16) + frames


def mov_with_channels_the_other_way_round() -> bytes:
    """Return PCM whose right channel comes first: FFmpeg calls such a layout "custom", and PyAV frees it twice."""
    right, left = 2, 1
    described = struct.pack(">IIII", 0, 0, 0, 2) + b"".join(struct.pack(">II12x", label, 0) for label in (right, left))
    forest = mp4.with_header_last(mp4.parse(encode(Form("mov", "mov", "", "pcm_s16le"))))
    path = next(path for path in tree.paths(forest) if tree.at(forest, path).name == b"chan")
    return tree.written(tree.put(forest, path, (Node(b"chan", described),)), mp4.FORMAT)


# Metadata and pictures beside


def mp3_with_a_hundred_covers() -> bytes:
    """Return a hundred attached pictures of 4096 x 4096 px."""
    picture = png(SIDE_PX, SIDE_PX)
    body = b"\0image/png\0\3\0" + picture
    return mp3_after(b"APIC" + len(body).to_bytes(4, "big") + b"\0\0" + body, 100)


def flac_with_a_cover_of_400_million_pixels() -> bytes:
    """Return one attached picture that is a bomb itself."""
    picture = png(20_000, 20_000)
    block = struct.pack(">II", 3, 9) + b"image/png" + struct.pack(">I", 0)
    block += struct.pack(">IIIII", 20_000, 20_000, 24, 0, len(picture)) + picture
    data = encode(Form("flac", "flac", "", "flac"))
    first_end = 4 + 4 + int.from_bytes(data[5:8], "big")
    return data[:first_end] + b"\6" + len(block).to_bytes(3, "big") + block + data[first_end:]


def mkv_with_thousands_of_fonts() -> bytes:
    """Return twenty thousand attachments."""
    files = tuple(
        Node(matroska.ATTACHED_FILE, children=(
            Node(matroska.FILE_NAME, b"font.ttf"), Node(matroska.FILE_TYPE, b"font/ttf"),
            Node(matroska.FILE_DATA, bytes(16)), number(matroska.FILE_UID, index + 1),
        )) for index in range(20_000)
    )  # fmt: skip
    return mkv([video_track("V_VP8", 96, 80)], [(1, 0, vp8())], extra=(Node(matroska.ATTACHMENTS, children=files),))


def mp3_with_half_a_million_comments() -> bytes:
    """Return half a million tags before the sound."""
    body = b"\3name\0value"
    return mp3_after(b"TXXX" + len(body).to_bytes(4, "big") + b"\0\0" + body, 500_000)


def mkv_with_tags_ten_thousand_deep() -> bytes:
    """Return tags inside tags inside tags."""
    named = Node(matroska.TAG_NAME, b"A")
    inner = matroska.write(Node(matroska.SIMPLE_TAG, children=(named, Node(matroska.TAG_STRING, b"B"))))
    for _ in range(10_000):
        inner = matroska.write(Node(matroska.SIMPLE_TAG, matroska.write(named) + inner))
    tags = Node(matroska.TAGS, children=(Node(matroska.TAG, children=(Node(b"", inner),)),))
    return mkv([video_track("V_VP8", 96, 80)], [(1, 0, vp8())], extra=(tags,))


def mp4_boxes_ten_thousand_deep() -> bytes:
    """Return boxes of user data inside each other."""
    inner = b""
    for _ in range(10_000):
        inner = mp4.write(Node(b"udta", inner))
    return encode(H264_AAC) + mp4.write(Node(b"moov", inner))


def mp4_with_50_mb_of_metadata() -> bytes:
    """Return a title of 50 MB."""
    title = mp4.write(Node(b"\xa9nam", struct.pack(">HH", 65_535, 0) + b"a" * 65_535))
    return encode(H264_AAC) + mp4.write(Node(b"moov", mp4.write(Node(b"udta", title * 800))))


def playlists_that_open_other_files() -> bytes:
    """Return a script that asks FFmpeg to open a file of the server."""
    return b"ffconcat version 1.0\nfile /etc/hostname\nduration 10\n" * 10


def hls_that_opens_addresses() -> bytes:
    """Return a playlist of an address."""
    return b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"


RATES_HZ = (1, 8, 100, 4_000_000, 100_000_000, 2_147_483_647)
CHANNELS = (255, 65_535)


def _rate_bombs() -> dict[str, Callable[[], bytes]]:
    rates = {f"wav_of_{rate}_hz": (lambda rate=rate: wav(rate, seconds=min(59.0, 2e6 / rate))) for rate in RATES_HZ}
    many = {f"wav_of_{count}_channels": (lambda count=count: wav(8_000, count, size=500_000)) for count in CHANNELS}
    return rates | many


BOMBS: dict[str, Callable[[], bytes]] = {
    bomb.__name__: bomb
    for bomb in (
        *(mp4_states_65535_px, vp8_frames_16383_px, vp8_frames_grow_to_5760_px, gif_canvas_65535_px),
        *(png_20000_px, png_frames_4096_px),
        *(mkv_zlib_raw_frames, mkv_zlib_raw_sound, mp4_samples_share_their_bytes, mp4_samples_share_a_megabyte),
        *(mp4_fifty_million_samples, packets_5000_a_second, laced_frames),
        *(mkv_five_thousand_tracks, mp4_five_thousand_tracks, ogg_five_thousand_streams, ts_eight_thousand_pids),
        *(mp4_states_endless_duration, mp4_first_sample_is_endless, mp4_time_scale_of_one),
        *(mp4_time_scale_of_2_to_the_31, mp4_four_thousand_million_edits, mkv_states_endless_duration),
        *(mkv_duration_is_no_number, one_frame_an_hour, one_frame_in_a_minute, times_run_backwards),
        *(a_thousand_million_frames_a_second, overlapping_sound, overlapping_sound_of_2_mb, opus_of_a_byte),
        *(
            flac_of_silence,
            mov_with_channels_the_other_way_round,
            mp3_with_a_hundred_covers,
            flac_with_a_cover_of_400_million_pixels,
        ),
        *(mkv_with_thousands_of_fonts, mp3_with_half_a_million_comments, mkv_with_tags_ten_thousand_deep),
        *(mp4_boxes_ten_thousand_deep, mp4_with_50_mb_of_metadata, playlists_that_open_other_files),
        hls_that_opens_addresses,
    )
} | _rate_bombs()

SLOW = frozenset(
    bomb.__name__
    for bomb in (
        *(vp8_frames_grow_to_5760_px, png_frames_4096_px, mkv_zlib_raw_frames, mp4_samples_share_a_megabyte),
        *(mp4_samples_share_their_bytes, packets_5000_a_second, laced_frames, opus_of_a_byte, flac_of_silence),
        *(mp3_with_a_hundred_covers, mp3_with_half_a_million_comments),
    )
)
"""Those that take seconds of processor time, as much as a clip may: left to the long form of the fuzzing."""
