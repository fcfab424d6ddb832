"""A film in several windows, against the session's real server."""

from __future__ import annotations

import io
import json
from pathlib import Path

import av
import jsonschema
import numpy as np
import pytest

from samples.analyze import run
from triptych_client import Analysis, Client, footage, schema
from triptych_client.contract import LOOK_COUNTS, LOOKS_EACH
from triptych_client.footage.parts import looks_of
from triptych_client.footage.seams import bare

pytestmark = pytest.mark.server

WINDOW_S = 12.0
"""Of which the demo clip, with its key frame every 3 s, is three."""


@pytest.fixture(scope="module")
def whole(client: Client, demo_clip: Path) -> Analysis:
    return client.analyze(demo_clip)


@pytest.fixture(scope="module")
def film(client: Client, demo_clip: Path) -> Analysis:
    return footage.analyze(client, demo_clip, window_s=WINDOW_S)


def test_the_windows_make_one_valid_answer(film: Analysis, whole: Analysis):
    jsonschema.Draft202012Validator(schema.load()).validate(json.loads(film.to_json()))
    assert film.footage is not None
    assert film.footage.complete
    assert [round(part.start_s) for part in film.footage.parts] == [0, 6, 12]
    assert film.clip.duration_s == pytest.approx(whole.clip.duration_s, abs=0.1)
    assert {name: channel.status for name, channel in film.channels.items()} == {
        name: channel.status for name, channel in whole.channels.items()
    }


def test_what_is_said_is_there_once_and_at_its_time(film: Analysis, whole: Analysis):
    told, heard = (bare(answer.transcript.text.split()) for answer in (film, whole))
    missing, more = set(heard) - set(told), [word for word in set(told) if told.count(word) > heard.count(word)]
    assert (len(missing), len(more)) <= (2, 2), (film.transcript.text, whole.transcript.text)
    first, last = film.transcript.utterances[0], film.transcript.utterances[-1]
    assert first.start_s == pytest.approx(whole.transcript.utterances[0].start_s, abs=0.5)
    assert last.end_s == pytest.approx(whole.transcript.utterances[-1].end_s, abs=0.7)


def test_the_only_person_is_one_person_all_along(film: Analysis, whole: Analysis):
    assert len(whole.people) == len(film.people) == 1
    assert {face.track for face in film.faces} == {0}
    assert film.emotion.track == 0
    assert len(film.faces) == pytest.approx(len(whole.faces), abs=4)
    times = [face.time_s for face in film.faces]
    assert times == sorted(times)
    assert np.diff(times).max() < 1.5


def test_the_timeline_is_that_of_the_whole(film: Analysis, whole: Analysis):
    starts = [window.start_s for window in film.timeline]
    assert starts == sorted(starts)
    assert len(starts) == pytest.approx(len(whole.timeline), abs=4)
    assert film.emotion.label in dict(whole.emotion.top3)


def test_looks_come_when_they_are_asked_for(client: Client, demo_clip: Path):
    (outcome,) = client.stream([demo_clip], looks=True)
    assert outcome.analysis is not None
    looks = looks_of(outcome.analysis)
    assert looks is not None
    assert looks.shape == (len(outcome.analysis.people), LOOKS_EACH, LOOK_COUNTS)
    assert looks[0, 0].reshape(64, 59).sum(axis=1).tolist() == [64] * 64


def test_the_command_line_cuts_what_is_too_long(
    client: Client, demo_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    arguments = ("analyze", str(demo_clip), "--url", client.url, "--window", f"{WINDOW_S:g}", "--format", "json")
    assert run(monkeypatch, *arguments, "--out", f"{tmp_path}/answer.json") == 0
    answer = Analysis.from_dict(json.loads((tmp_path / "answer.json").read_text(encoding="utf-8")))
    assert answer.footage is not None
    assert len(answer.footage.parts) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["answer.json"]


def test_a_film_that_is_too_long_for_one_clip_is_answered(client: Client, demo_clip: Path, tmp_path: Path):
    path = tmp_path / "film.mkv"
    path.write_bytes(repeated(demo_clip, 4))
    answer = footage.analyze(client, path)
    assert answer.footage is not None
    assert [part.error for part in answer.footage.parts] == ["", ""]
    assert len(answer.people) == 1
    assert answer.clip.duration_s == pytest.approx(79, abs=1)


def repeated(path: Path, times: int) -> bytes:
    """Return a film that shows a clip so often, one after the other, nothing encoded anew."""
    target = io.BytesIO()
    with av.open(target, "w", format="matroska") as out:
        streams = {}
        for turn in range(times):
            with av.open(str(path)) as source:
                length_s = (source.duration or 0) / av.time_base
                for stream in source.streams:
                    if stream.index not in streams:
                        streams[stream.index] = out.add_stream_from_template(stream)
                for packet in source.demux():
                    if packet.dts is not None:
                        shift = round(turn * length_s / packet.time_base)
                        packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                        packet.stream = streams[packet.stream.index]
                        out.mux(packet)
    return target.getvalue()
