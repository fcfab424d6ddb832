"""The CNN with time in the face slot: the ensemble runs unchanged, and mixed batches keep their clips apart."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from samples import clips
from samples.swapping import swapped
from triptych.answer.parameters import CALIBRATION_FOLDER, FUSION_FILE
from triptych.media import probe, video
from triptych.media.limits import Limits
from triptych.serving.embedded import EmbeddedServer
from triptych_client import Analysis, AsyncClient, Client
from triptych_client.contract import CHANNELS, EMOTIONS

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def timed_repository(repository: Path) -> Iterator[Path]:
    with swapped(repository, {"face": "cnn-time"}) as folder:
        yield folder


@pytest.fixture(scope="module")
def timed(timed_repository: Path) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(timed_repository) as server:
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


def numbers(repository: Path) -> dict[str, bytes]:
    """Return the fusion's regression and the calibrations that a repository serves, by file."""
    folder = repository / "fusion" / "1"
    files = [folder / FUSION_FILE, *(folder / CALIBRATION_FOLDER).iterdir()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_the_swap_changed_the_calibration_of_the_face_and_no_other_number(repository: Path, timed_repository: Path):
    before, after = numbers(repository), numbers(timed_repository)
    assert set(before) == set(after) == {FUSION_FILE, *(f"{CALIBRATION_FOLDER}/{channel}.json" for channel in CHANNELS)}
    assert {name for name in before if before[name] != after[name]} == {f"{CALIBRATION_FOLDER}/face.json"}


async def test_who_shares_the_batch_does_not_matter(timed: EmbeddedServer, demo_clip: Path):
    data = demo_clip.read_bytes()
    frames = video.decode(data, probe.probe(data, Limits()).planned_times).frames
    films = [clips.make(list(part)) for part in (frames[:8], frames[-8:], frames[4:12])]
    async with AsyncClient(timed.grpc_url) as client:
        alone = [await client.analyze(film) for film in films]
        together = await asyncio.gather(*(client.analyze(film) for film in films * 3))
    for one, other in zip(alone * 3, together):
        assert expressed(other) == pytest.approx(expressed(one), abs=1e-3)
