"""Step `audio_decode`: the sound of a clip as 16 kHz mono, cut for the speech, sound and voice models.

All times are clip times: sample i of the sound is at i / 16000 s, silence standing where the track has none.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import NamedTuple

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer

from triptych.answer.status import OK, Status
from triptych.media import tracks
from triptych.media.channels import MAX_RATE_HZ, Sheet, blocks, keep
from triptych.media.container import (
    DECODE_ERRORS,
    Data,
    audio_streams,
    codec_name,
    open_clip,
    origin_s,
    read_packets,
    seconds,
)
from triptych.media.limits import Limits
from triptych.media.tracks import AudioTrack, Speaks
from triptych.sound import level
from triptych_client import contract
from triptych_client.contract import CHUNK_SAMPLES, SAMPLE_RATE_HZ, VOICE_SAMPLES

SILENCE_BESIDE = 10 ** (-40 / 20)
BLOCK_SAMPLES = SAMPLE_RATE_HZ // 50
"""What comes before the first 20 ms, or after the last, that are within 40 dB of the loudest is silence beside it."""

PAUSE_SAMPLES = 3 * SAMPLE_RATE_HZ // 10
"""Speech is cut in the middle of the quietest 0.3 s, longer than the silence inside a word (about 0.15 s)."""

EARLIEST_CUT_SAMPLES = 25 * SAMPLE_RATE_HZ
"""A chunk of speech is at least 25 s long when more follows, and at most Whisper's 30 s."""

MAX_CHUNKS = contract.STEPS["whisper"].max_batch_size
MAX_SOUND_WINDOWS = contract.STEPS["sound_features"].max_batch_size
MAX_VOICE_WINDOWS = contract.STEPS["voice_features"].max_batch_size

SOUND_SAMPLES = 15_600
SOUND_HOP_SAMPLES = 7_680
"""YAMNet's window of 0.975 s every 0.48 s (research/audioset/yamnet/params.py): 96 frames of 10 ms, and a half."""

VOICE_HOP_SAMPLES = VOICE_SAMPLES // 2


@dataclass(frozen=True)
class Audio:
    """Decoded sound: FP32 [samples] 16 kHz mono in [-1, 1] from the clip's start, empty unless the status is ok.

    `tracks` are the sound tracks of the file, and which of them is heard.
    """

    pcm: np.ndarray
    status: Status
    tracks: tuple[AudioTrack, ...] = ()


@dataclass(frozen=True)
class Heard:
    """What was decoded into memory: so many samples, unless the status is not ok, of one of the tracks."""

    samples: int
    status: Status
    tracks: tuple[AudioTrack, ...] = ()


@dataclass(frozen=True)
class Look:
    """A part of each of several tracks, one behind the other in memory: `indices` of the streams, the preferred first.

    `samples` are how many there are of each.
    """

    indices: tuple[int, ...]
    samples: tuple[int, ...]

    def choose(self, memory: np.ndarray, speaks: Speaks) -> int:
        """Return the index of the stream that is listened to."""
        pieces = np.split(memory[: sum(self.samples)], np.cumsum(self.samples)[:-1])
        return self.indices[tracks.choose([speaks(piece) if len(piece) else 0.0 for piece in pieces])]


def decode(data: Data, max_seconds: float, speaks: Speaks = tracks.sounds_spoken_s) -> Audio:
    """Decode the sound of a clip, at most its first `max_seconds`: of the track in which somebody `speaks`.

    ClipError when the file cannot be opened.
    """
    limits = Limits(seconds=max_seconds)
    memory = np.zeros(most_samples(max_seconds), np.float32)
    heard = decode_into(memory, data, limits)
    if isinstance(heard, Look):
        heard = decode_into(memory, data, limits, heard.choose(memory, speaks))
    if isinstance(heard, Look):
        raise RuntimeError("a track that is named is decoded, not looked at")
    return Audio(memory[: heard.samples], heard.status, heard.tracks)


def most_samples(max_seconds: float) -> int:
    """Return how many samples decoding a clip gives at most: its sound, or a part of each of its tracks."""
    return round(max(max_seconds, tracks.most_looked_at_s()) * SAMPLE_RATE_HZ)


def without(status: Status, heard: tuple[AudioTrack, ...] = ()) -> Audio:
    """Return what stands for a clip without sound."""
    return Audio(np.zeros(0, np.float32), status, heard)


def track_rows(listed: tuple[AudioTrack, ...]) -> np.ndarray:
    """Return what is known of the sound tracks: BYTES [a, 5], AUDIO_TRACKS of the contract; none is one empty row."""
    rows = [track.row() for track in listed] or [("",) * len(contract.AUDIO_TRACK_FIELDS)]
    return np.array([[text.encode() for text in row] for row in rows], dtype=object)


def decode_into(memory: np.ndarray, data: Data, limits: Limits, track: int | None = None) -> Heard | Look:
    """Decode the sound of a clip into FP32 [most samples]: the `track` of this stream, or the only one that there is.

    Where there are several and none is named, a part of each is decoded, for somebody to choose by. The sound is at the
    level that it is to be heard at (`triptych.sound.level`). ClipError when the file cannot be opened.
    """
    with open_clip(data, limits) as container:
        streams = audio_streams(container)
        listed = tuple(map(AudioTrack.of, streams))
        usable = tracks.preferred(streams)
        if not usable:
            reason = Status("failed", "unknown_audio_format") if streams else Status("absent", "no_audio_track")
            return Heard(0, reason, listed)
        origin = origin_s(container, data)
        if track is None and len(usable) > 1:
            return _look(memory, container, usable, origin, limits)
        stream = next((stream for stream in usable if stream.index == track), usable[0])
        index, codec = stream.index, codec_name(stream)
        pcm, heard = _sheet(stream, read_packets(container, [stream]), origin, limits.seconds).mixed()
    listed = tuple(replace(item, heard=heard if item.index == index else "") for item in listed)
    if not len(pcm):
        return Heard(0, Status("failed", "undecodable_audio", codec), listed)
    measured = level.measure(pcm)
    if measured.silent:
        return Heard(0, Status("absent", "silent"), listed)
    memory[: len(pcm)] = level.levelled(pcm, measured)
    return Heard(len(pcm), OK, listed)


def _look(
    memory: np.ndarray, container: InputContainer, streams: list[AudioStream], origin: float, limits: Limits
) -> Look:
    """Decode a part of each track into memory, one behind the other."""
    packets: dict[int, list[av.Packet]] = {stream.index: [] for stream in streams}
    for packet in read_packets(container, streams):
        packets[packet.stream_index].append(packet)
    end_s = min(limits.seconds, max(map(_end_s, packets.values())) - origin)
    wanted = tracks.stretches(len(streams), max(end_s, tracks.STRETCH_S))
    samples, place = [], 0
    for stream in streams:
        chosen = [packet for packet in packets[stream.index] if _is_within(packet, origin, wanted)]
        sheet = _sheet(stream, chosen, origin, limits.seconds)
        pcm = _cut_together(sheet.mixed()[0], wanted)[: len(memory) - place]
        memory[place : place + len(pcm)] = pcm
        place += len(pcm)
        samples.append(len(pcm))
    return Look(tuple(stream.index for stream in streams), tuple(samples))


def _end_s(packets: list[av.Packet]) -> float:
    """Return the container's time of the last packet; 0 without times."""
    times = (seconds(packet.pts, packet.time_base) for packet in packets)
    return max((time for time in times if math.isfinite(time)), default=0.0)


def _is_within(packet: av.Packet, origin: float, wanted: list[tuple[float, float]]) -> bool:
    """Tell whether a packet belongs to one of some stretches; one of unknown time does."""
    start_s = seconds(packet.pts, packet.time_base) - origin
    return not math.isfinite(start_s) or any(start <= start_s < end for start, end in wanted)


def _cut_together(pcm: np.ndarray, wanted: list[tuple[float, float]]) -> np.ndarray:
    """Return the stretches of sound FP32 [samples], without what is between them."""
    return np.concatenate([pcm[round(start * SAMPLE_RATE_HZ) : round(end * SAMPLE_RATE_HZ)] for start, end in wanted])


def _sheet(stream: AudioStream, packets: Iterable[av.Packet], origin: float, max_seconds: float) -> Sheet:
    """Decode packets of a stream to its channels."""
    frames = _frames(stream, packets, origin, max_seconds)
    return Sheet.of(round(max_seconds * SAMPLE_RATE_HZ), blocks(frames, max_seconds))


def _frames(
    stream: AudioStream, packets: Iterable[av.Packet], origin: float, max_seconds: float
) -> Iterator[tuple[float, AudioFrame]]:
    """Yield decoded frames with their clip times (NaN: unknown), without the damaged ones, up to `max_seconds`."""
    for packet in chain(packets, (None,)):
        try:
            frames = stream.codec_context.decode(packet)
        except DECODE_ERRORS:
            continue
        for frame in frames:
            keep(frame.layout)
        for frame in frames:
            start_s = seconds(frame.pts, stream.time_base) - origin
            if start_s > max_seconds:
                return
            if 0 < frame.sample_rate <= MAX_RATE_HZ:
                yield start_s, frame


class Windows(NamedTuple):
    """Sound cut for a model: `pcm` FP32 [w, samples], zero-padded; without sound one row of zeros.

    `spans` FP32 [w, 2] are the start and end in seconds of the sound in each, equal where there is none.
    """

    pcm: np.ndarray
    spans: np.ndarray


def chunks(pcm: np.ndarray) -> Windows:
    """Cut sound FP32 [samples] for the speech recogniser at pauses, so that no word is cut, into windows of 30 s.

    What is beyond MAX_CHUNKS is left out.
    """
    bounds = [0]
    while len(pcm) - bounds[-1] > CHUNK_SAMPLES and len(bounds) < MAX_CHUNKS:
        bounds.append(_cut(pcm, bounds[-1], MAX_CHUNKS - len(bounds)))
    bounds.append(min(len(pcm), bounds[-1] + CHUNK_SAMPLES))
    starts, ends = np.array(bounds[:-1]), np.array(bounds[1:])
    return _cut_out(pcm, starts, ends, CHUNK_SAMPLES)


def _cut(pcm: np.ndarray, start: int, chunks_left: int) -> int:
    """Return where the chunk at `start` ends: in the quietest pause that leaves no more than fits the chunks left."""
    earliest = max(start + EARLIEST_CUT_SAMPLES, len(pcm) - chunks_left * CHUNK_SAMPLES)
    latest = start + CHUNK_SAMPLES
    if latest - earliest < PAUSE_SAMPLES:
        return latest
    energy = np.concatenate([[0.0], np.cumsum(np.square(pcm[earliest:latest], dtype=np.float64))])
    return earliest + int(np.argmin(energy[PAUSE_SAMPLES:] - energy[:-PAUSE_SAMPLES])) + PAUSE_SAMPLES // 2


def sound_windows(pcm: np.ndarray, samples: int = SOUND_SAMPLES) -> Windows:
    """Cut sound FP32 [n] for the sound tagger, see `windows`; silence at the beginning and the end is left out."""
    start, end = sounding(pcm)
    cut = windows(pcm[start:end], samples, round(samples * SOUND_HOP_SAMPLES / SOUND_SAMPLES), MAX_SOUND_WINDOWS)
    return Windows(cut.pcm, cut.spans + np.float32(start / SAMPLE_RATE_HZ))


def sounding(pcm: np.ndarray) -> tuple[int, int]:
    """Return from which to which sample of sound FP32 [n] something is heard: what is not silence beside the loudest.

    So silence before and after changes nothing in what the tagger hears.
    """
    blocks = np.abs(np.pad(pcm, (0, -len(pcm) % BLOCK_SAMPLES)).reshape(-1, BLOCK_SAMPLES)).max(axis=1)
    loud = np.flatnonzero(blocks >= SILENCE_BESIDE * blocks.max(initial=0))
    return (int(loud[0]) * BLOCK_SAMPLES, min(int(loud[-1] + 1) * BLOCK_SAMPLES, len(pcm))) if len(loud) else (0, 0)


def voice_windows(pcm: np.ndarray, hop: int = VOICE_HOP_SAMPLES) -> Windows:
    """Cut sound FP32 [n] for the voice model into windows of 3 s every `hop` samples: here, and where it is trained.

    Every window is full: the last one ends with the sound, and shorter sound stands in the middle of silence. They are
    further apart where they would be more than a batch.
    """
    last = max(len(pcm) - VOICE_SAMPLES, 0)
    hop = max(hop, math.ceil(last / (MAX_VOICE_WINDOWS - 1)))
    starts = np.array([*range(0, last, hop), last])
    before = max(VOICE_SAMPLES - len(pcm), 0) // 2
    return _cut_out(pcm, starts, np.minimum(starts + VOICE_SAMPLES, len(pcm)), VOICE_SAMPLES, before)


def windows(pcm: np.ndarray, samples: int, hop: int, most: int) -> Windows:
    """Cut sound FP32 [n] into overlapping windows; further apart than `hop` if they would be more than `most`."""
    rest = max(len(pcm) - samples, 0)
    hop = max(hop, math.ceil(rest / (most - 1)))
    starts = np.arange(0, rest + hop, hop)
    ends = np.minimum(starts + samples, len(pcm))
    return _cut_out(pcm, starts, ends, samples)


def _cut_out(pcm: np.ndarray, starts: np.ndarray, ends: np.ndarray, samples: int, before: int = 0) -> Windows:
    """Cut pieces out of sound, with `before` samples of silence before each, and behind it what a window lacks."""
    pieces = np.zeros((len(starts), samples), np.float32)
    for piece, start, end in zip(pieces, starts, ends):
        piece[before : before + end - start] = pcm[start:end]
    return Windows(pieces, (np.stack([starts, ends], axis=1) / SAMPLE_RATE_HZ).astype(np.float32))
