"""The whole ensemble on the embedded server, through the client, with real models and a real clip."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import tritonclient.grpc as triton

from samples import clips
from triptych.commands.demo_clip import LINES
from triptych.commands.demo_speech import synthesise
from triptych.media import video
from triptych.serving.service import Service
from triptych_client import AsyncClient, Client, contract, schema
from triptych_client.errors import InvalidClip
from triptych_client.results import Analysis

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def answer(client: Client, demo_clip: Path) -> Analysis:
    return client.analyze(demo_clip)


def test_the_demo_clip_is_answered_by_every_channel_that_has_a_model(answer: Analysis):
    states = {name: channel.status for name, channel in answer.channels.items()}
    assert states == {"face": "ok", "sound": "ok", "voice": "ok", "words": "ok"}


def test_the_spoken_lines_are_read_to_the_letter(answer: Analysis):
    assert answer.transcript.language == "en"
    assert [letters(utterance.text) for utterance in answer.transcript.utterances] == [
        letters(line) for _, line in LINES
    ]


def letters(text: str) -> str:
    """Return a text without its marks: how a sentence ends is a matter of taste."""
    return re.sub(r"[^\w ]", "", text).lower()


def test_the_spoken_lines_have_the_times_that_they_are_said_at(answer: Analysis):
    begin = [utterance.start_s for utterance in answer.transcript.utterances]
    assert begin == pytest.approx([start_s for start_s, _ in LINES], abs=0.3)
    assert max(person.speech_s for person in answer.people) < 10, "of 17 s, in which lines are spoken for 7.5"


def test_the_face_is_followed_through_the_clip(answer: Analysis):
    times = sorted({face.time_s for face in answer.faces})
    assert len(times) > 30, "40 frames are sampled, the face is in nearly all"
    assert answer.clip.width == 640
    for face in answer.faces:
        assert 0 <= face.box[0] < face.box[2] <= answer.clip.width + 1
        assert 0 <= face.box[1] < face.box[3] <= answer.clip.height + 1


def test_the_answer_says_whom_it_is_about(answer: Analysis):
    assert answer.emotion.track is not None
    person = answer.people[answer.emotion.track]
    assert answer.emotion.track_reason in contract.TRACK_REASONS[1:]
    assert person.end_s - person.start_s > 10, "the face is there for most of the 20 s"
    assert len(person.timeline) == len(answer.timeline)


def test_every_utterance_has_the_emotion_of_all_channels(answer: Analysis):
    assert [said.language for said in answer.transcript.utterances] == ["en"] * len(LINES)
    for said in answer.transcript.utterances:
        assert set(said.expressed) == set(contract.EMOTIONS)
        assert sum(said.expressed.values()) == pytest.approx(1, abs=1e-3)


def test_the_rationale_gives_times_and_so_does_its_translation(answer: Analysis):
    assert " at " in answer.rationale
    assert " с)" in answer.in_language("ru").rationale


def test_speech_is_heard_as_speech(answer: Analysis):
    assert "Speech" in [tag.label for tag in answer.audio_tags]


def test_the_answer_fits_the_schema(answer: Analysis):
    jsonschema.validate(json.loads(answer.to_json()), schema.load())


def test_contributions_explain_the_probabilities(answer: Analysis):
    contributions = [channel.contribution for channel in answer.channels.values() if channel.contribution]
    logits = np.array([sum(part[name] for part in contributions) for name in contract.EMOTIONS])
    probabilities = np.exp(logits) / np.exp(logits).sum()
    given = [answer.emotion.probabilities[name] for name in contract.EMOTIONS]
    np.testing.assert_allclose(given, probabilities, atol=1e-4)


def test_models_are_named_with_their_licence(answer: Analysis):
    assert {
        "face",
        "sound",
        "voice",
        "words",
        "speech_detection",
        "speech_recognition",
        "face_detection",
        "audio_tags",
    } == set(answer.models)
    assert answer.models["speech_recognition"].licence == "MIT"
    assert answer.server.triton == "2.51.0"


def test_speech_can_be_translated(client: Client):
    spoken = synthesise("Buenos días. Hoy hace muy buen tiempo y estoy contento.", "es", words_per_minute=150)
    clip = clips.make(sound=np.repeat(np.tile(spoken, (2, 1)), 3, axis=1))
    transcript = client.analyze(clip).transcript
    assert transcript.language == "es"
    assert "contento" in transcript.text
    assert "happy" in client.analyze(clip, task="translate", language="es").transcript.text


def test_embeddings_come_on_request_only(client: Client, demo_clip: Path, answer: Analysis):
    assert not answer.embeddings
    embeddings = client.analyze(demo_clip, embeddings=True).embeddings
    assert embeddings["FACE_EMBEDDINGS"].shape[0] == len(answer.faces)
    assert embeddings["WORDS_EMBEDDINGS"].shape == (len(answer.transcript.utterances), 384)


def lead_in(seconds: float, sound: np.ndarray) -> bytes:
    """Return a clip of speech [samples] at 16 kHz, after silence."""
    whole = np.concatenate([np.zeros(round(16_000 * seconds), np.float32), sound])
    return clips.make(sound=np.repeat(np.tile(whole, (2, 1)), 3, axis=1))


def test_silence_before_speech_changes_when_it_is_said_and_nothing_else(client: Client):
    said = synthesise("Thank you for the lovely flowers. Where have you been all this time?", "en-us", 160)
    alone, late = client.analyze(lead_in(0, said)), client.analyze(lead_in(12.4, said))
    assert late.transcript.text == alone.transcript.text
    first, first_late = alone.transcript.utterances[0], late.transcript.utterances[0]
    assert first_late.start_s - first.start_s == pytest.approx(12.4, abs=0.2)
    assert late.emotion.label == alone.emotion.label
    for emotion, share in alone.emotion.probabilities.items():
        assert late.emotion.probabilities[emotion] == pytest.approx(share, abs=0.05)


def test_noise_has_neither_words_nor_a_voice(client: Client):
    hiss = 0.03 * np.random.default_rng(0).normal(size=(2, 48_000 * 3)).astype(np.float32)
    answer = client.analyze(clips.make(sound=hiss))
    assert answer.transcript.utterances == ()
    assert {answer.channels[name].reason_code for name in ("voice", "words")} == {"no_speech"}


def test_what_is_said_often_is_heard_as_often(client: Client):
    cry = np.concatenate([synthesise("Help me!", "en-us", 150), np.zeros(6_400, np.float32)])
    heard = client.analyze(lead_in(0, np.tile(cry, 12))).transcript
    assert heard.text.lower().count("help") >= 11
    assert heard.utterances[-1].end_s > 11 * len(cry) / 16_000


def test_both_languages_of_a_clip_are_heard(client: Client):
    spanish = synthesise("Buenos días. Hoy hace muy buen tiempo y estoy contento. Mañana vamos a la playa.", "es", 150)
    english = synthesise("Good morning. I am very happy to see you here again today, my dear friend.", "en-us", 120)
    heard = client.analyze(lead_in(0, np.concatenate([spanish, np.zeros(48_000, np.float32), english]))).transcript
    assert {said.language for said in heard.utterances} == {"es", "en"}
    assert "tiempo" in heard.text
    assert "happy" in heard.text


SILENCE = np.zeros((2, 96_000), np.float32)

ODD = {
    "without sound": (clips.make(clips.greys(25)), "face", "no face found in 8 sampled frames"),
    "without picture": (clips.make(sound=clips.tone(2.0)), "face", "the file has no video track"),
    "no audio track": (clips.make(clips.greys(25)), "words", "the file has no audio track"),
    "silent": (clips.make(clips.greys(25), SILENCE), "sound", "the audio track is silent"),
    "one frame": (clips.make(clips.greys(1)), "face", "no face found in 1 sampled frame"),
    "a tone": (clips.make(sound=clips.tone(2.0)), "words", "no speech detected"),
}


@pytest.mark.parametrize(("clip", "channel", "reason"), ODD.values(), ids=ODD.keys())
def test_what_a_clip_lacks_is_a_status_with_a_reason(client: Client, clip: bytes, channel: str, reason: str):
    answer = client.analyze(clip)
    found = answer.channels[channel]
    assert (found.status, found.reason, found.weight) == ("absent", reason, 0)
    jsonschema.validate(json.loads(answer.to_json()), schema.load())


def test_nothing_to_go_by_is_an_answer_that_abstains(client: Client):
    answer = client.analyze(clips.make(clips.greys(25), SILENCE))
    assert answer.emotion.abstained
    assert max(answer.emotion.probabilities.values()) == pytest.approx(1 / 7, abs=1e-3)


@pytest.mark.parametrize(
    ("clip", "words"),
    [
        (b"", "empty"),
        (b"this is no film", "media"),
        (clips.make(clips.greys(2), times=[0.0, 61.0]), r"60 s .*TRIPTYCH_MAX_SECONDS"),
        (bytes(65 << 20), r"64 MiB .*TRIPTYCH_MAX_MEBIBYTES"),
    ],
    ids=["empty", "text", "too long", "too large"],
)
def test_a_clip_that_cannot_be_analysed_is_refused_in_words(client: Client, clip: bytes, words: str):
    with pytest.raises(InvalidClip, match=words):
        client.analyze(clip)


async def test_bad_clips_fail_alone_among_good_ones(server: Service, demo_clip: Path, answer: Analysis):
    good = demo_clip.read_bytes()
    batch = [good, b"no film", clips.damaged(good, 1), good, b"", good[: len(good) // 2]]
    async with AsyncClient(server.grpc_url) as client:
        outcomes = [outcome async for outcome in client.map(batch, concurrency=6)]
    for index in (0, 3):
        assert outcomes[index].analysis.transcript.text == answer.transcript.text
    for index in (1, 4, 5):
        assert isinstance(outcomes[index].error, InvalidClip)
    jsonschema.validate(json.loads(outcomes[2].analysis.to_json()), schema.load())
    assert outcomes[2].analysis.clip.duration_s == pytest.approx(answer.clip.duration_s, abs=0.1)


def executions(url: str, model: str) -> tuple[int, int]:
    """Return how many rows and how many executions a model has had."""
    with triton.InferenceServerClient(url) as inspector:
        (stats,) = inspector.get_inference_statistics(model).model_stats
    return stats.inference_count, stats.execution_count


async def test_the_faces_of_concurrent_clips_share_executions(server: Service, demo_clip: Path):
    faces = video.decode(demo_clip.read_bytes(), np.linspace(1, 18, 2, dtype=np.float32)).frames
    short = clips.make(list(faces))
    for _ in range(5):  # which clips meet in a queue is a matter of moments
        if await faces_share_executions(server.grpc_url, short, 12):
            return
    pytest.fail("each clip's faces were an execution of their own, five times over")


async def faces_share_executions(url: str, clip: bytes, count: int) -> bool:
    """Analyse a clip so many times at once; tell whether there were fewer executions than clips."""
    rows, runs = executions(url, "expression")
    async with AsyncClient(url) as client:
        answers = await asyncio.gather(*(client.analyze(clip) for _ in range(count)))
    found = [len(answer.faces) for answer in answers]
    assert found == [found[0]] * count
    assert found[0] > 0
    # Triton counts an execution after it has answered.
    readings = (executions(url, "expression") for _ in range(1000))
    rows_after, runs_after = next(reading for reading in readings if reading[0] >= rows + sum(found))
    assert rows_after == rows + sum(found)
    return 0 < runs_after - runs < count
