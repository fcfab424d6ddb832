"""Decoding in processes that may crash: the same results, and words for every way to die."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import numpy as np
import psutil
import pytest

from samples import clips
from triptych.answer.status import Status
from triptych.errors import CallerLeft, ClipError
from triptych.media import audio, probe, video
from triptych.media.decoders import nursery
from triptych.media.decoders.bounds import CLIPS, Bounds
from triptych.media.decoders.handles import Caller
from triptych.media.decoders.pool import READY
from triptych.media.decoders.steps import Decoders
from triptych.media.limits import Limits

LIMITS = Limits()
CLIP = clips.make(clips.greys(20), clips.tone(2.0))
PLANNED = probe.probe(CLIP, LIMITS).planned_times
PATIENCE_S = 30


@pytest.fixture
def deaths() -> list[str]:
    """The causes of the decoders' deaths, as they are counted."""
    return []


@pytest.fixture
def probes(deaths: list[str]) -> Iterator[Decoders]:
    with closing(Decoders("media_probe", LIMITS, deaths.append)) as decoders:
        yield decoders


@pytest.fixture
def pictures(deaths: list[str]) -> Iterator[Decoders]:
    with closing(Decoders("video_decode", LIMITS, deaths.append)) as decoders:
        yield decoders


@pytest.fixture
def sounds(deaths: list[str]) -> Iterator[Decoders]:
    with closing(Decoders("audio_decode", LIMITS, deaths.append)) as decoders:
        yield decoders


def until(fact: Callable[[], object]) -> None:
    """Return once a fact is true."""
    deadline = time.monotonic() + PATIENCE_S
    while not fact():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.005)


def processes(decoders: Decoders) -> list[psutil.Process]:
    """The decoders that are there, the one at work first."""
    nursery = psutil.Process(decoders.pool.nursery.process.pid)
    until(lambda: len(nursery.children()) == READY)
    return sorted(nursery.children(), key=lambda process: process.create_time())


def at_work(decoders: Decoders, do: Callable[[psutil.Process], object]) -> Caller:
    """Stop the decoder whose turn it is; what is to happen to it while a caller waits, who does not leave."""
    decoder = processes(decoders)[0]
    decoder.suspend()

    def has_left() -> bool:
        with suppress(psutil.NoSuchProcess):
            do(decoder)
        return False

    return Caller("an id", has_left)


def crash(decoder: psutil.Process) -> None:
    decoder.send_signal(signal.SIGSEGV)
    decoder.resume()


def test_the_results_are_those_of_the_functions(probes: Decoders, pictures: Decoders, sounds: Decoders):
    facts = probes.probe(CLIP)
    expected = probe.probe(CLIP, LIMITS)
    assert np.array_equal(facts.clip(), expected.clip())
    assert np.array_equal(facts.planned_indices, expected.planned_indices)
    assert np.array_equal(facts.planned_times, expected.planned_times)
    decoded, same = pictures.video(CLIP, PLANNED), video.decode(CLIP, PLANNED)
    assert (decoded.status, decoded.frames.dtype) == (same.status, same.frames.dtype)
    assert np.array_equal(decoded.frames, same.frames)
    assert np.array_equal(decoded.times, same.times)
    assert np.array_equal(sounds.sound(CLIP).pcm, audio.decode(CLIP, LIMITS.seconds).pcm)


def test_the_step_says_which_of_several_tracks_is_heard(sounds: Decoders):
    data = clips.in_matroska(clips.steady(3.0)[None], clips.syllables(3.0)[None], 0.1 * clips.steady(3.0, seed=1)[None])
    assert [track.heard for track in sounds.sound(data).tracks] == ["", "all", ""]
    quietest = sounds.sound(data, speaks=lambda pcm: 1.0 if pcm.std() < 0.05 else 0.0)
    assert [track.heard for track in quietest.tracks] == ["", "", "all"]
    assert np.array_equal(sounds.sound(data).pcm, audio.decode(data, LIMITS.seconds).pcm)


def test_one_clip_leaves_nothing_of_itself_in_the_next(sounds: Decoders):
    long, short = clips.make(sound=clips.tone(3.0)), clips.make(clips.greys(30), clips.tone(0.2), sound_start_s=2.5)
    sounds.sound(long)
    assert np.array_equal(sounds.sound(short).pcm, audio.decode(short, LIMITS.seconds).pcm)


@pytest.mark.parametrize("data", [b"", b"no film" * 100, clips.make(clips.greys(2), times=[0.0, 61.0])])
def test_a_clip_is_refused_in_the_same_words(probes: Decoders, data: bytes):
    with pytest.raises(ClipError) as here:
        probe.probe(data, LIMITS)
    with pytest.raises(ClipError) as there:
        probes.probe(data)
    assert str(there.value) == str(here.value)


def test_what_is_too_large_is_refused_before_it_is_copied(probes: Decoders):
    with pytest.raises(ClipError, match="TRIPTYCH_MAX_MEBIBYTES"):
        probes.probe(np.zeros(65 << 20, np.uint8))
    assert probes.pool.ready[0].clips == 0


def test_a_crash_while_probing_is_said_in_words_and_the_next_clip_works(
    probes: Decoders, deaths: list[str], caplog: pytest.LogCaptureFixture
):
    with pytest.raises(ClipError, match=r"the decoder crashed on it\. .* convert it to MP4"):
        probes.probe(CLIP, at_work(probes, crash))
    assert deaths == ["crash"]
    assert "media_probe" in caplog.text
    assert "request an id" in caplog.text
    assert "SIGSEGV" in caplog.text
    assert "Fatal Python error: Segmentation fault" in caplog.text, "faulthandler says where it was"
    assert probes.probe(CLIP).has_video


def test_a_crash_while_decoding_is_a_reason_of_the_channel(pictures: Decoders, sounds: Decoders, deaths: list[str]):
    failed = Status("failed", "decoder_crashed")
    decoded = pictures.video(CLIP, PLANNED, at_work(pictures, crash))
    assert decoded.status == failed
    assert np.isnan(decoded.times).all()
    assert sounds.sound(CLIP, at_work(sounds, crash)).status == failed
    assert deaths == ["crash", "crash"]
    assert pictures.video(CLIP, PLANNED).status.ok
    assert sounds.sound(CLIP).status.ok


def test_the_next_decoder_is_there_before_it_is_needed(pictures: Decoders):
    nursery, (_, spare) = pictures.pool.nursery, processes(pictures)
    pictures.video(CLIP, PLANNED, at_work(pictures, crash))
    assert pictures.pool.nursery is nursery
    assert processes(pictures)[0] == spare


def test_a_decoder_that_somebody_killed_is_replaced_within_the_clip(sounds: Decoders, deaths: list[str]):
    assert sounds.sound(CLIP, at_work(sounds, psutil.Process.kill)).status.ok
    assert deaths == ["lost"]


def test_one_that_was_killed_before_its_turn_is_not_asked(sounds: Decoders, deaths: list[str]):
    for process in processes(sounds):
        process.kill()
        process.wait(PATIENCE_S)
    assert sounds.sound(CLIP).status.ok
    assert deaths == []


def test_a_nursery_that_somebody_killed_is_replaced(sounds: Decoders):
    first = sounds.pool.nursery.process
    orphans = processes(sounds)
    first.kill()
    first.wait(PATIENCE_S)
    assert sounds.sound(CLIP).status.ok
    assert sounds.pool.nursery.process.pid != first.pid
    until(lambda: not any(process.is_running() for process in orphans))


def test_a_decoder_that_takes_too_long_is_ended(pictures: Decoders, deaths: list[str]):
    pictures.bounds = pictures.pool.bounds = Bounds(pictures.bounds.memory_bytes, 10, 0.1)
    stopped = processes(pictures)[0]
    decoded = pictures.video(CLIP, PLANNED, at_work(pictures, lambda decoder: None))
    assert decoded.status == Status("failed", "decoder_time", "0.1")
    assert deaths == ["time"]
    until(lambda: not stopped.is_running())


def test_who_leaves_ends_the_decoder(probes: Decoders, sounds: Decoders, deaths: list[str]):
    gone = Caller("", lambda: True)
    for decoders in (probes, sounds):
        processes(decoders)[0].suspend()
    stopped = [processes(decoders)[0] for decoders in (probes, sounds)]
    with pytest.raises(CallerLeft):
        probes.probe(CLIP, gone)
    assert not sounds.sound(CLIP, gone).status.ok
    assert deaths == ["left", "left"]
    until(lambda: not any(process.is_running() for process in stopped))
    assert probes.probe(CLIP).has_audio


def test_nothing_of_a_decoder_that_ended_stays_open(sounds: Decoders):
    """Not even until Python's garbage collector comes, which it seldom does in a server's step."""
    sounds.sound(CLIP)
    gc.collect()
    gc.disable()
    try:
        before = psutil.Process().num_fds()
        for _ in range(3):
            assert not sounds.sound(CLIP, at_work(sounds, crash)).status.ok
        assert psutil.Process().num_fds() <= before
    finally:
        gc.enable()


def test_a_leash_whose_decoder_was_reaped_in_the_same_moment_is_let_be():
    """The nursery learns of a death and of a leash that was let go of in one round, in any order."""
    nurse = object.__new__(nursery._Nursery)
    nurse.leashes = {}
    nurse.end(os.getpid())  # whoever has the number now is not killed


def test_a_decoder_is_for_so_many_good_clips(sounds: Decoders):
    first = processes(sounds)[0]
    for _ in range(CLIPS):
        assert first.is_running()
        sounds.sound(CLIP)
    until(lambda: not first.is_running())


@pytest.mark.parametrize("data", [b"no film", clips.make(clips.greys(2), times=[0.0, 61.0])])
def test_and_for_one_with_which_something_is_wrong(probes: Decoders, data: bytes):
    first = processes(probes)[0]
    with pytest.raises(ClipError):
        probes.probe(data)
    until(lambda: not first.is_running())


def test_a_track_that_fails_is_the_last_of_its_decoder(sounds: Decoders):
    data = clips.make(sound=clips.tone(0.3), form="matroska")
    first = processes(sounds)[0]
    cut = data[: data.index(b"\x1f\x43\xb6\x75") + 20]
    assert sounds.sound(cut).status == Status("failed", "undecodable_audio", "aac")
    until(lambda: not first.is_running())


def test_what_the_step_before_would_have_refused_is_a_status(pictures: Decoders, sounds: Decoders):
    assert pictures.video(b"no film", PLANNED).status.state == "failed"
    assert sounds.sound(b"no film").status.state == "failed"


def test_a_decoder_knows_nothing_of_the_server_s_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "abc")
    monkeypatch.setenv("MALLOC_TOP_PAD_", "268435456")
    with closing(Decoders("audio_decode", LIMITS)) as decoders:
        assert {"AWS_SECRET_ACCESS_KEY", "MALLOC_TOP_PAD_"}.isdisjoint(
            psutil.Process(decoders.pool.nursery.process.pid).environ()
        )


STEP = """
import sys
from triptych.media.decoders.steps import Decoders
from triptych.media.limits import Limits
decoders = Decoders("audio_decode", Limits())
print(decoders.pool.nursery.process.pid, flush=True)
sys.stdin.read()
"""


def test_decoders_end_with_their_step_however_that_ends():
    step = subprocess.Popen([sys.executable, "-c", STEP], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert step.stdout
    nursery = psutil.Process(int(step.stdout.readline()))
    until(lambda: len(nursery.children()) == READY)
    family = [nursery, *nursery.children()]
    family[1].suspend()
    os.kill(step.pid, signal.SIGKILL)
    step.communicate()
    until(lambda: not any(process.is_running() for process in family))
