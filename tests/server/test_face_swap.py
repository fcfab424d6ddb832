"""The CNN with time in the face slot: the ensemble runs unchanged, and mixed batches keep their clips apart."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests import clips
from tests.server.swapping import swapped
from triptych import media, video
from triptych.limits import Limits
from triptych.server import EmbeddedServer
from triptych_client import Analysis, AsyncClient, Client
from triptych_client.contract import EMOTIONS

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def timed(repository: Path) -> Iterator[EmbeddedServer]:
    with swapped(repository, {"face": "cnn-time"}) as folder, EmbeddedServer(folder) as server:
        yield server


def expressed(answer: Analysis) -> np.ndarray:
    """Return the probabilities [m, 7] of the faces."""
    return np.array([[face.probabilities[emotion] for emotion in EMOTIONS] for face in answer.faces])


def test_the_ensemble_answers_with_it(timed: EmbeddedServer, demo_clip: Path):
    with Client(timed.grpc_url) as client:
        answer = client.analyze(demo_clip)
    assert answer.models["face"].name == "cnn-time"
    assert answer.channels["face"].status == "ok"
    times_s = np.array([face.time_s for face in answer.faces])
    seen = np.array(EMOTIONS)[expressed(answer).argmax(axis=1)]
    assert (seen[times_s > 13] == "happiness").mean() > 0.9


async def test_who_shares_the_batch_does_not_matter(timed: EmbeddedServer, demo_clip: Path):
    data = demo_clip.read_bytes()
    frames = video.decode(data, media.probe(data, Limits()).planned_times).frames
    films = [clips.make(list(part)) for part in (frames[:8], frames[-8:], frames[4:12])]
    async with AsyncClient(timed.grpc_url) as client:
        alone = [await client.analyze(film) for film in films]
        together = await asyncio.gather(*(client.analyze(film) for film in films * 3))
    for one, other in zip(alone * 3, together):
        assert expressed(other) == pytest.approx(expressed(one), abs=1e-3)
