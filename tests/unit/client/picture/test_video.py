"""Reading upright pictures, hiding faces in them, and copies of clips with the answer drawn on."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from samples import client as samples
from samples import clips, seen
from triptych_client.errors import InvalidClip
from triptych_client.languages import labels_of
from triptych_client.picture.annotate import Annotator, annotated
from triptych_client.picture.hide import hide
from triptych_client.picture.video import pictures_at, rewritten


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return seen.write(tmp_path_factory.mktemp("clip") / "Клип 1.mp4")


def facts(path: Path) -> dict[str, tuple[str, float]]:
    """Return codec and length of each stream of a file, by its kind."""
    with av.open(str(path)) as container:
        return {s.type: (s.codec_context.name, float(s.duration * s.time_base)) for s in container.streams}


@pytest.mark.parametrize("turned", [False, True])
def test_pictures_are_upright_and_of_their_time(turned: bool, tmp_path: Path):
    path = seen.write(tmp_path / "a.mp4", turned=turned)
    for time_s, image in pictures_at(seen.answer(path), str(path), [5.9, 0.0, 3.0]):
        pixels = np.asarray(image)
        assert pixels.shape == (seen.HEIGHT, seen.WIDTH, 3)
        assert np.abs(pixels.astype(int) - seen.picture(time_s)).mean() < 12, "as it was made, but for the codec"


def test_a_time_behind_the_last_picture_has_none(clip: Path):
    assert [time_s for time_s, _ in pictures_at(seen.answer(clip), str(clip), [1.0, 99.0])] == [1.0]


def test_what_is_no_clip_is_an_invalid_clip(tmp_path: Path):
    (tmp_path / "a.mp4").write_bytes(b"no clip")
    with pytest.raises(InvalidClip, match="cannot be read"):
        list(pictures_at(seen.answer(None), str(tmp_path / "a.mp4"), [0.0]))


def test_a_copy_has_the_same_length_and_the_same_sound(clip: Path, tmp_path: Path):
    rewritten(seen.answer(clip), str(clip), tmp_path / "b.mp4", lambda image, time_s: None, longest=200)
    assert facts(tmp_path / "b.mp4")["video"] == ("h264", pytest.approx(seen.SECONDS, abs=0.15))
    assert sounds(tmp_path / "b.mp4") == sounds(clip)
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (200, 112)


def sounds(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def test_sound_that_mp4_does_not_hold_becomes_aac(tmp_path: Path):
    (tmp_path / "a.mkv").write_bytes(clips.in_matroska(np.zeros((1, 16_000), np.float32)))
    answer = seen.answer(tmp_path / "a.mkv", AUDIO_TRACKS=samples.strings([["0", "", "", "1", "all"]]))
    rewritten(answer, answer.clip.path or "", tmp_path / "b.mp4", lambda image, time_s: None)
    assert facts(tmp_path / "b.mp4") == {"audio": ("aac", pytest.approx(1.0, abs=0.1))}


def test_a_file_of_which_nothing_can_be_copied_is_an_invalid_clip(tmp_path: Path):
    (tmp_path / "a.mkv").write_bytes(clips.in_matroska(np.zeros((1, 16_000), np.float32)))
    answer = seen.answer(tmp_path / "a.mkv", AUDIO_TRACKS=samples.strings([["7", "", "", "1", "all"]]))
    with pytest.raises(InvalidClip, match="no picture and no sound"):
        rewritten(answer, answer.clip.path or "", tmp_path / "b.mp4", lambda image, time_s: None)


def test_a_hidden_face_has_no_features_left():
    image = Image.fromarray(seen.picture(1.0))
    hide(image, [seen.box_at(1.0)])
    assert seen.contrast(np.asarray(image), seen.box_at(1.0)) < 4
    assert (np.asarray(image)[:20] == seen.GROUND).all(), "what is around it stays"


def test_a_face_over_the_edge_is_hidden_as_far_as_it_is_there():
    image = Image.fromarray(seen.picture(0.0))
    hide(image, [(-50.0, -50.0, 5.0, 5.0), (400.0, 10.0, 500.0, 90.0)])
    assert image.size == (seen.WIDTH, seen.HEIGHT)


@pytest.mark.parametrize("redact", [True, False])
def test_an_annotated_copy_shows_or_hides_faces_at_every_moment(redact: bool, clip: Path, tmp_path: Path):
    answer = seen.answer(clip)
    annotated(answer, tmp_path / "b.mp4", "ru", redact=redact)
    for time_s, image in pictures_at(answer, str(tmp_path / "b.mp4"), [0.1, 1.4, 3.0, 5.9]):
        assert (seen.contrast(np.asarray(image), seen.box_at(time_s)) < 8) is redact


def test_emotion_person_and_words_of_the_moment_are_drawn(clip: Path):
    answer = seen.answer(clip)
    drawn = {}
    for time_s in (1.0, 3.5):
        image = Image.fromarray(seen.picture(time_s))
        Annotator(answer, labels_of("en"))(image, time_s)
        drawn[time_s] = np.asarray(image).astype(int) - seen.picture(time_s)
    x1, y1, _, y2 = map(round, seen.box_at(1.0))
    assert np.abs(drawn[1.0][y1:y2, x1]).max() > 50, "the box"
    assert np.abs(drawn[1.0][:20, :60]).max() > 50, "the emotion, in the corner"
    assert np.abs(drawn[1.0][-20:]).max() > 50, "what is said"
    assert np.abs(drawn[3.5][-20:]).max() == 0, "nobody speaks"


@pytest.mark.parametrize("words", ["слово " * 200, "w" * 2000])
def test_a_long_sentence_leaves_room_for_the_picture(words: str):
    answer = seen.answer(None, TEXTS=samples.strings([words] * 2))
    image = Image.fromarray(seen.picture(1.0))
    Annotator(answer, labels_of("ru"))(image, 1.0)
    changed = (np.asarray(image) != seen.picture(1.0)).any(axis=2)[:, 215:].any(axis=1)  # beside the face and its name
    assert changed[-40:].any()
    assert not changed[: seen.HEIGHT // 2].any(), "three lines at most"


def test_what_cannot_be_annotated_says_why(tmp_path: Path):
    with pytest.raises(InvalidClip, match="no file"):
        annotated(seen.answer(tmp_path / "gone.mp4"), tmp_path / "b.mp4")
    (tmp_path / "sound.mp4").write_bytes(clips.make(sound=clips.tone(1.0)))
    silent = samples.analysis(str(tmp_path / "sound.mp4"), CLIP=samples.f32([1, np.nan, np.nan, np.nan, 0, 1]))
    with pytest.raises(InvalidClip, match="no video"):
        annotated(silent, tmp_path / "b.mp4")
    assert not (tmp_path / "b.mp4").exists()


def test_a_clip_that_is_damaged_is_copied_as_far_as_it_goes(clip: Path, tmp_path: Path):
    (tmp_path / "a.mp4").write_bytes(clips.damaged(clip.read_bytes(), seed=3, start=0.4, end=0.9))
    rewritten(seen.answer(clip), str(tmp_path / "a.mp4"), tmp_path / "b.mp4", lambda image, time_s: None)
    assert facts(tmp_path / "b.mp4").keys() == {"video", "audio"}
