"""Clips that end their decoder, through the whole server: the others are answered, and it is counted."""

from __future__ import annotations

import asyncio
import re
import resource
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from samples import clips
from triptych.serving.service import Service
from triptych_client import AsyncClient, Client

pytestmark = pytest.mark.server

PATIENCE_S = 120


def decoders(server: Service, step: str) -> list[psutil.Process]:
    """The decoders of a step, the one at work first."""
    assert server.process
    for process in psutil.Process(server.process.pid).children(recursive=True):
        line = process.cmdline()
        if "decoders.nursery" in " ".join(line) and any(step in part for part in process.parent().cmdline()):
            return sorted(process.children(), key=lambda decoder: decoder.create_time())
    raise AssertionError(f"{step} has no decoders")


def counted(server: Service, name: str, **labels: str) -> float:
    """What the metrics page says of a counter with these labels among its own; 0 when it says nothing."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{server.metrics_url}/metrics") as page:
        lines = page.read().decode().splitlines()
    wanted = [line for line in lines if line.startswith(name) and all(f'{k}="{v}"' in line for k, v in labels.items())]
    return sum(float(line.rsplit(" ", 1)[1]) for line in wanted)


def until(fact: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not fact():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)


def test_channels_in_an_order_of_their_own_are_heard_and_so_is_the_next_clip(client: Client):
    tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(32_000) / 16_000)).astype(np.int16)
    for data in (clips.in_caf(np.tile(tone, (8, 1)).T, "7.1"), clips.make(sound=clips.tone(2.0))):
        answer = client.analyze(data)
        assert answer.channels["sound"].status == "ok"
        assert answer.clip.duration_s == pytest.approx(2, abs=0.1)


def test_a_decoder_without_memory_costs_its_clip_one_stream(server: Service, client: Client, short_clip: Path):
    for process in decoders(server, "audio_decode")[:1]:
        process.rlimit(resource.RLIMIT_DATA, (1 << 20, 1 << 20))
    answers = [client.analyze(short_clip) for _ in range(3)]
    assert answers[0].channels["face"].status == "ok"
    assert {answer.channels["words"].status for answer in answers[1:]} == {"ok"}
    first = answers[0].channels["words"]
    assert first.status == "ok" or re.match("decoder_|undecodable_", first.reason_code), "or a canary was before it"


async def test_who_leaves_ends_the_decoder_and_it_is_counted(server: Service, client: Client, short_clip: Path):
    left = {"step": "audio_decode", "cause": "left"}
    deaths = counted(server, "triptych_decoder_deaths", **left)
    detected = counted(server, "nv_inference_count", model="face_detector")
    decoders(server, "audio_decode")[0].suspend()
    async with AsyncClient(server.grpc_url) as hasty:
        call = asyncio.create_task(hasty.analyze(short_clip))
        # The pictures, decoded at the same time, have gone on: so the sound has come to the decoder that does nothing.
        await asyncio.to_thread(until, lambda: counted(server, "nv_inference_count", model="face_detector") > detected)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    await asyncio.to_thread(until, lambda: counted(server, "triptych_decoder_deaths", **left) > deaths)
    answer = await asyncio.to_thread(client.analyze, short_clip)
    assert answer.channels["words"].status == "ok"


def test_answers_are_counted_by_channel_and_in_seconds_of_clips(server: Service, client: Client):
    silent = {"channel": "words", "state": "absent", "reason": "silent"}
    seconds, channels = counted(server, "triptych_clip_seconds"), counted(server, "triptych_channels", **silent)
    client.analyze(clips.make(clips.greys(20), np.zeros((2, 96_000), np.float32)))
    until(lambda: counted(server, "triptych_channels", **silent) >= channels + 1)
    assert counted(server, "triptych_clip_seconds") >= seconds + 1.9
