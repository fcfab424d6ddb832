"""What a clip is, and which of its frames are sampled."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samples import clips
from triptych.errors import ClipError
from triptych.media import audio, probe, video
from triptych.media.container import shown
from triptych.media.limits import Limits
from triptych_client import contract

LIMITS = Limits()


def test_facts_of_a_clip_with_picture_and_sound():
    facts = probe.probe(clips.make(clips.greys(20), clips.tone(2.0)), LIMITS)
    assert (facts.has_video, facts.has_audio) == (True, True)
    assert (facts.width_px, facts.height_px) == clips.SIZE
    assert facts.duration_s == pytest.approx(2.0, abs=0.05)
    assert facts.frame_rate_hz == pytest.approx(clips.RATE_HZ)
    assert dict(zip(contract.CLIP_FIELDS, facts.clip()))["has_audio"] == 1


@pytest.mark.parametrize(
    ("form", "codec"),
    [("matroska", "libx264"), ("webm", "libvpx-vp9"), ("mpegts", "libx264"), ("avi", "mpeg4"), ("h264", "libx264")],
)
def test_the_plan_is_the_same_in_every_container(form: str, codec: str):
    facts = probe.probe(clips.make(clips.greys(40), form=form, codec=codec), LIMITS)
    if form != "h264":  # a raw stream states no frame rate, and is taken to have 25
        assert facts.duration_s == pytest.approx(4.0, abs=0.15)
    assert len(facts.planned_indices) in (8, 9)
    assert np.all(np.diff(facts.planned_indices) > 0)


def stamped(clip: bytes, shift_s: float) -> bytes:
    """Return a clip whose packets bear other times, as those of a camera whose clock was set."""
    target = io.BytesIO()
    with av.open(io.BytesIO(clip)) as source, av.open(target, "w", format=source.format.name.split(",")[0]) as copy:
        copies = {stream.index: copy.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                ticks = round(shift_s / float(packet.time_base))
                packet.stream, packet.pts, packet.dts = (
                    copies[packet.stream.index],
                    packet.pts + ticks,
                    packet.dts + ticks,
                )
                copy.mux(packet)
    return target.getvalue()


JOINED = {"mpegts": "libx264", "webm": "libvpx-vp9", "matroska": "libx264"}


@pytest.mark.parametrize("form", JOINED)
@pytest.mark.parametrize("shift_s", [0.0, 7000.0])
def test_recordings_that_were_joined_are_looked_at_to_the_end(form: str, shift_s: float):
    makers = [
        clips.make(
            clips.greys(60)[half], clips.tone(3.0), form=form, codec=JOINED[form], options={"g": "10", "bf": "0"}
        )
        for half in (slice(30), slice(30, 60))
    ]
    data = makers[0] + (stamped(makers[1], shift_s) if shift_s else makers[1])
    facts = probe.probe(data, LIMITS)
    assert facts.duration_s == pytest.approx(6.0, abs=0.3)
    decoded = video.decode(data, facts.planned_times)
    assert decoded.times == pytest.approx(facts.planned_times)
    assert np.abs(clips.which(decoded.frames, 60) - 10 * decoded.times).max() < 4, "the sound is longer by 0.3 s"


def test_without_a_video_track_nothing_is_planned():
    facts = probe.probe(clips.make(sound=clips.tone(1.0)), LIMITS)
    assert (facts.has_video, facts.has_audio) == (False, True)
    assert (facts.width_px, facts.height_px, len(facts.planned_times)) == (0, 0, 0)


def test_a_cover_picture_is_no_video():
    facts = probe.probe(music_with_cover(), LIMITS)
    assert (facts.has_video, facts.has_audio) == (False, True)


def music_with_cover() -> bytes:
    target = io.BytesIO()
    container = av.open(target, "w", format="mp4")
    audio_stream = container.add_stream("aac", rate=clips.SOUND_RATE_HZ, layout="stereo")
    cover = container.add_stream("mjpeg", rate=1)
    cover.width, cover.height, cover.pix_fmt = (*clips.SIZE, "yuvj420p")
    cover.disposition = av.stream.Disposition.attached_pic
    frame = av.VideoFrame.from_ndarray(clips.marked(), format="rgb24")
    frame.pts = 0
    clips._write_sound(container, audio_stream, clips.tone(1.0), 0.0)
    container.mux(cover.encode(frame))
    container.mux(cover.encode(None))
    container.close()
    return target.getvalue()


@pytest.mark.parametrize("matrix", [(0, 1, -1, 0), (0, -1, 1, 0), (0, 1, 1, 0)])
def test_width_and_height_are_upright(matrix: tuple[int, ...]):
    facts = probe.probe(clips.make(clips.greys(3), matrix=matrix), LIMITS)
    assert (facts.height_px, facts.width_px) == clips.SIZE


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"not a film at all" * 100, "cannot be read"),
        (np.random.default_rng(0).integers(0, 256, 20_000, dtype=np.uint8).tobytes(), "cannot be read"),
        (b"1\n00:00:01,000 --> 00:00:02,000\nHello\n\n2\n00:00:03,000 --> 00:00:04,000\nthere\n", "neither"),
    ],
)
def test_what_cannot_be_read_is_said_in_words(data: bytes, words: str):
    with pytest.raises(ClipError, match=words):
        probe.probe(data, LIMITS)


def test_a_track_that_begins_in_the_middle_of_the_file_does_no_harm():
    data = clips.make(clips.greys(20), form="mpegts") + clips.make(clips.greys(20), clips.tone(2.0), form="mpegts")
    facts = probe.probe(data, LIMITS)
    assert facts.has_video
    assert len(video.decode(data, facts.planned_times).frames) >= 1


def test_a_truncated_file_without_its_index_is_refused():
    with pytest.raises(ClipError, match="cannot be read"):
        probe.probe(clips.make(clips.greys(20))[:-900], LIMITS)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(mebibytes=0.001), r"MiB; the limit is 0.001 MiB \(TRIPTYCH_MAX_MEBIBYTES"),
        (Limits(seconds=1), r"is 2.0 s long; the limit is 1 s \(TRIPTYCH_MAX_SECONDS"),
        (Limits(side_px=60), r"64 x 48 px; the limit is 60 px a side \(TRIPTYCH_MAX_SIDE_PX"),
    ],
)
def test_an_error_names_the_limit_and_how_to_change_it(limits: Limits, words: str):
    with pytest.raises(ClipError, match=words):
        probe.probe(clips.make(clips.greys(20)), limits)


def test_a_clip_cut_at_the_limit_passes_with_its_padded_last_packet():
    assert probe.probe(clips.make(clips.greys(10), clips.tone(1.1)), Limits(seconds=1)).duration_s > 1


def test_the_packets_count_when_the_header_lies_about_the_duration():
    data = bytearray(clips.make(clips.greys(20)))
    header = data.index(b"mvhd")
    data[header + 16 : header + 24] = (1000).to_bytes(4, "big") + (3_600_000).to_bytes(4, "big")
    assert probe.probe(bytes(data), LIMITS).duration_s == pytest.approx(2.0, abs=0.05)


@pytest.mark.parametrize(
    "playlist",
    ["#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{}\n#EXT-X-ENDLIST\n", "ffconcat version 1.0\nfile '{}'\n"],
)
def test_a_playlist_cannot_make_the_server_open_files(tmp_path: Path, playlist: str):
    secret = tmp_path / "secret.mp4"
    secret.write_bytes(clips.make(clips.greys(5)))
    with pytest.raises(ClipError):
        probe.probe(playlist.format(secret).encode(), LIMITS)


def test_samples_are_the_middles_of_equal_slots():
    assert probe.plan(np.arange(240) / 24, 10.0, 128) == pytest.approx((np.arange(20) + 0.5) / 2)


def test_a_picture_that_stands_is_looked_at_for_as_long_as_it_does():
    starts = np.concatenate([np.arange(100) / 100, [1.0, 5.0], 6 + np.arange(4)])
    seen = shown(starts, probe.plan(starts, 10.0, 128))
    assert np.bincount(seen, minlength=len(starts))[100:].tolist() == [8, 2, 2, 2, 2, 2]


@given(
    st.lists(st.floats(0, 1000), max_size=200).map(sorted),
    st.floats(0, 50),
    st.integers(1, 128),
)
def test_a_plan_is_rising_within_the_limits_and_never_too_short(starts: list[float], last_s: float, most: int):
    times = np.array(starts)
    chosen = probe.plan(times, (times[-1] if starts else 0) + last_s, most)
    assert np.all(np.diff(chosen) >= 0)
    assert len(chosen) <= most
    assert len(chosen) >= min(probe.MIN_FRAMES, len(starts), most)
    seen = shown(times, chosen)
    assert len(starts) == 0 or (seen.min() >= 0 and seen.max() < len(starts))


@pytest.mark.parametrize(("form", "codec"), [("mp4", "libx264"), ("matroska", "libx264"), ("webm", "libvpx-vp9")])
def test_a_photo_with_a_voice_is_shown_to_the_end(form: str, codec: str):
    facts = probe.probe(clips.make(clips.greys(1), clips.tone(6.0), form=form, codec=codec, options={}), LIMITS)
    assert len(facts.planned_times) in (12, 13)
    assert set(facts.planned_indices.tolist()) == {0}
    assert facts.planned_times[-1] > 5.5


def test_a_picture_that_begins_late_is_looked_at_from_then_on():
    facts = probe.probe(clips.make(clips.greys(40), clips.tone(10.0), times=6 + np.arange(40) / 10), LIMITS)
    assert facts.duration_s == pytest.approx(10.0, abs=0.1)
    assert facts.planned_times[0] > 6
    assert facts.planned_times[-1] == pytest.approx(9.75, abs=0.1)


SOUND_CLIP = clips.make(clips.greys(12), clips.tone(1.2))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 300), st.floats(0, 0.9), st.floats(0.3, 1))
def test_damage_is_answered_or_refused_in_words(seed: int, flips: int, start: float, kept: float):
    read(clips.damaged(SOUND_CLIP, seed, flips, start)[: int(len(SOUND_CLIP) * kept)])


def test_some_damage_is_answered_and_some_refused():
    outcomes = [read(clips.damaged(SOUND_CLIP, seed, flips)) for seed in range(10) for flips in (5, 300)]
    assert 0 < outcomes.count("answered") < len(outcomes)


def read(data: bytes) -> str:
    """Return "answered" when the media steps make whole tensors of a clip, "refused" when they say why not."""
    try:
        facts = probe.probe(data, LIMITS)
        picture = video.decode(data, facts.planned_times)
        sound = audio.decode(data, LIMITS.seconds)
    except ClipError:
        return "refused"
    assert np.isfinite(facts.clip()).all()
    assert len(picture.frames) == len(picture.times) >= 1
    assert picture.frames.shape[3] == 3
    assert np.isfinite(picture.times).all() == (picture.status.state == "ok")
    assert picture.status.state in contract.STATES
    assert (sound.status.state == "ok") == (len(sound.pcm) > 0)
    assert sound.status.state in contract.STATES
    assert np.isfinite(sound.pcm).all()
    return "answered"
