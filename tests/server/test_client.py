"""The client against the session's real server."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from samples import clips
from triptych_client import Analysis, AsyncClient, Client, InvalidClip, InvalidRequest, contract, schema

pytestmark = pytest.mark.server

VALIDATOR = jsonschema.Draft202012Validator(schema.load())


@pytest.fixture(scope="module")
def answer(server, short_clip: Path) -> Analysis:
    with Client(server.grpc_url) as client:
        return client.analyze(short_clip, embeddings=True)


def triptych(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from triptych_client.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_answer_is_valid(answer: Analysis, short_clip: Path):
    VALIDATOR.validate(json.loads(answer.to_json()))
    assert answer.clip.path == str(short_clip)
    assert sum(answer.emotion.probabilities.values()) == pytest.approx(1, abs=1e-4)
    assert answer.server.triton
    assert answer.transcript.text
    assert answer.faces
    assert answer.rationale_parts
    assert all(part.what in answer.transcript.text for part in answer.rationale_parts if part.channel == "words")


def test_embeddings_come_on_request(answer: Analysis, server, short_clip: Path):
    assert set(answer.embeddings) == {tensor.name for tensor in contract.EMBEDDINGS}
    assert len(answer.embeddings["FACE_EMBEDDINGS"]) == len(answer.faces)
    with Client(server.grpc_url) as client:
        assert not client.analyze(short_clip).embeddings


async def test_async_client_and_file_objects_answer_alike(answer: Analysis, server, short_clip: Path):
    async with AsyncClient(server.grpc_url) as client:
        other = await client.analyze(io.BytesIO(short_clip.read_bytes()))
    assert other.transcript.text == answer.transcript.text
    assert other.emotion.label == answer.emotion.label
    assert other.clip.path is None


def test_bad_clip_is_the_caller_s_fault_and_harms_no_other(server, short_clip: Path):
    with Client(server.grpc_url) as client:
        outcomes = list(client.map([b"this is no media file", short_clip, "gone.mp4"]))
    assert [type(outcome.error) for outcome in outcomes] == [InvalidClip, type(None), InvalidClip]
    assert "ensemble" not in str(outcomes[0].error)


def test_unknown_language_is_the_caller_s_fault_and_not_the_clip_s(server, short_clip: Path):
    with Client(server.grpc_url) as client:
        with pytest.raises(InvalidRequest, match="the parameter language is 'xx'; it can be one of en, zh") as caught:
            client.analyze(short_clip, language="xx")
        with pytest.raises(InvalidRequest):
            list(client.map([short_clip, short_clip], language="xx"))
    assert caught.value.path is None


def test_reasons_are_codes_with_words_in_both_languages(server, short_clip: Path):
    with Client(server.grpc_url) as client:
        answer = client.analyze(clips.make(clips.greys(25)))
    face, words = answer.channels["face"], answer.channels["words"]
    assert (face.reason_code, face.reason_value, face.reason) == ("no_face", "8", "no face found in 8 sampled frames")
    assert (words.reason_code, words.reason) == ("no_audio_track", "the file has no audio track")
    russian = answer.in_language("ru")
    assert russian.channels["words"].reason == "в файле нет звуковой дорожки"
    assert (answer.rationale, russian.rationale) == ("No channel gave evidence.", "Ни один канал не дал данных.")


def test_command_line_writes_json_and_tells_of_failures(server, short_clip: Path, tmp_path: Path):
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"this is no media file")
    result = triptych("analyze", short_clip, bad, "--url", server.grpc_url, "--format", "jsonl")
    assert result.returncode == 1
    VALIDATOR.validate(json.loads(result.stdout))
    assert json.loads(result.stderr)["path"] == str(bad)


def test_command_line_writes_files(server, short_clip: Path, tmp_path: Path):
    result = triptych("analyze", short_clip, "--url", server.grpc_url, "--lang", "ru", "--out", f"{tmp_path}/out/")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert "Выраженная эмоция" in (tmp_path / "out" / short_clip.with_suffix(".txt").name).read_text(encoding="utf-8")
