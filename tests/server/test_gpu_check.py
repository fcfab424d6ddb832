"""What `benchmarks.gpu_check` asks of a server, asked of the session's, on the CPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.gpu_check import answers, page, serving, steps
from benchmarks.gpu_check.results import Report
from triptych.serving.service import Service
from triptych_client.contract import STEPS

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def asked(demo_clip: Path) -> list[answers.Clip]:
    return answers.clips(demo_clip, None)[1:]


def test_one_server_agrees_with_itself_on_the_clip_its_pictures_and_its_sound(
    server: Service, asked: list[answers.Clip]
):
    found = answers.ask(server.grpc_url, asked, timeout_s=120)
    compared = [answers.compare(clip.name, one, one) for clip, one in zip(asked, found)]
    assert all(map(answers.agrees, compared))
    statuses = [{name: channel.status for name, channel in one.channels.items()} for one in found]
    _, pictures, sound = statuses
    assert (pictures["face"], pictures["words"]) == ("ok", "absent")
    assert (sound["face"], sound["words"]) == ("absent", "ok")
    different = answers.compare("other", found[1], found[2])
    assert not answers.agrees(different)


def test_steps_are_asked_alone_with_so_many_rows_of_a_clip(server: Service, asked: list[answers.Clip]):
    with steps.connect(server.grpc_url) as client:
        questions = steps.questions(client, asked[0].data)
        found = list(steps.latencies(client, questions, batches=(1, 16), repeats=1))
    assert questions.keys() == STEPS.keys()
    most = {step.name: step.max_batch_size for step in STEPS.values()}
    expected = {(name, rows) for name, size in most.items() for rows in (1, 16) if rows <= size}
    assert {(one.step, one.batch) for one in found} == expected
    assert all(one.least_s <= one.median_s for one in found)


def test_a_load_is_counted_and_shown(server: Service, asked: list[answers.Clip]):
    load = serving.load(server.grpc_url, asked[2].data, callers=2, seconds=0.1)
    assert load.answered >= 2
    assert (load.refused, load.failed) == (0, 0)
    report = Report("command", "cpu", {"GPU": "no GPU"}, loads=[load])
    assert "| 2 " in page.write(report)
