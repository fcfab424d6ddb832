"""The page of an answer, as far as it can be looked at without a browser."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from samples import client as samples
from samples import clips, seen
from triptych_client.languages import LANGUAGES, labels_of
from triptych_client.page.html import page
from triptych_client.page.labels import PageLabels
from triptych_client.page.languages import PAGE_LANGUAGES
from triptych_client.picture.video import pictures_at
from triptych_client.results import Analysis

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(1)> & “é”"


class Page(HTMLParser):
    """What a page holds: its elements with their attributes, and its words as they are read."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, Mapping[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words = ""
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside != "style":
            self.words += data

    def all(self, tag: str) -> list[Mapping[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def one(self, tag: str, **wanted: str) -> Mapping[str, str | None]:
        (found,) = (a for a in self.all(tag) if all(a.get(key) == value for key, value in wanted.items()))
        return found


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return seen.write(tmp_path_factory.mktemp("page") / "clip.mp4")


@pytest.fixture(scope="module", params=LANGUAGES)
def lang(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def shown(clip: Path, lang: str) -> Page:
    return Page(page(seen.answer(clip), lang))


def test_it_says_what_the_answer_says(shown: Page, lang: str):
    labels, words = labels_of(lang), PAGE_LANGUAGES[lang]
    answer = seen.answer(None).in_language(lang)
    for told in (
        "34.1 %",
        labels.conflict,
        answer.rationale,
        answer.transcript.utterances[1].text,
        answer.channels["voice"].reason,
        "fer-cnn",
        words.corpora["ravdess-126"],
        "-0.50",
        "+1.30",
        *words.headings.values(),
        *words.about,
        *words.limits,
    ):
        assert " ".join(told.split()) in " ".join(shown.words.split()), told
    assert shown.one("html")["lang"] == lang


def test_every_window_is_in_what_the_script_reads(shown: Page):
    data = json.loads(shown.scripts[0])
    windows = seen.answer(None).timeline
    assert [one["shares"] is None for one in data["windows"]] == [one.probabilities is None for one in windows]
    assert data["windows"][0]["start"] == 0
    assert all(left["end"] == right["start"] for left, right in zip(data["windows"], data["windows"][1:]))


def test_it_loads_nothing(shown: Page):
    assert not shown.all("base")
    for tag, attributes in shown.elements:
        for name in ("src", "href", "poster", "srcset", "data", "action"):
            assert (attributes.get(name) or "#").startswith(("#", "data:")), (tag, attributes)
        assert not any(name.startswith("on") for name in attributes)
    policy = shown.one("meta", **{"http-equiv": "Content-Security-Policy"})["content"] or ""
    assert policy.startswith("default-src 'none';")
    digest = base64.b64encode(hashlib.sha256(shown.scripts[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy, "its own script runs, and no other"


def test_it_has_the_clip_and_the_faces(shown: Page, clip: Path):
    source = shown.one("video", id="media")["src"] or ""
    assert base64.b64decode(source.removeprefix("data:video/mp4;base64,")) == clip.read_bytes()
    images = shown.all("img")
    assert len(images) == 6
    assert all(image["alt"] for image in images)


def test_ids_are_there_once_and_what_they_name_exists(shown: Page):
    ids = [attributes["id"] for _, attributes in shown.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    named = {attributes.get("aria-labelledby") or attributes.get("for") for _, attributes in shown.elements}
    assert named - {None} <= set(ids)


def test_what_is_said_is_text_and_not_markup(tmp_path: Path):
    answer = seen.answer(
        tmp_path / f"{EVIL.replace('/', '-')}.mp4",
        TEXTS=samples.strings([EVIL, "{{ view }}"]),
        TAG_NAMES=samples.strings([EVIL, "Giggle", "Rattle"]),
        MODELS=samples.strings([["face", EVIL, samples.SHA256, EVIL]]),
        RELIABILITY_ON=samples.strings([EVIL]),
        RATIONALE_PARTS=samples.strings([["cause", "words", "sadness", EVIL], ["against", "sound", "fear", EVIL]]),
    )
    text = page(answer)
    assert "<script>alert" not in text
    assert "<img" not in text
    found = Page(text)
    assert len(found.scripts) == 2
    assert EVIL in found.words
    assert "{{ view }}" in found.words


def test_an_answer_without_anything_has_a_page(lang: str):
    found = Page(page(samples.nothing(), lang))
    labels = labels_of(lang)
    for told in (labels.abstained, labels.no_speech, labels.no_faces, labels.no_sounds, labels.without_video):
        assert told in found.words
    assert PAGE_LANGUAGES[lang].no_video["none"] in found.words
    assert PAGE_LANGUAGES[lang].not_reliable in found.words
    assert not found.all("video")


def test_an_answer_of_an_older_server_has_a_page(clip: Path):
    older = seen.answer(clip).to_dict()
    del older["people"], older["rationale_parts"], older["audio_tracks"], older["emotion"]["reliability"]
    for tag in older["audio_tags"]:
        del tag["timeline"]
    found = Page(page(Analysis.from_dict(older)))
    assert PAGE_LANGUAGES["en"].no_tags_over_time in found.words


def test_no_russian_page_has_english_words(clip: Path):
    answer = seen.answer(clip, MODELS=samples.strings([["face", "", samples.SHA256, ""]]))
    words = set(re.findall(r"\b[A-Za-z]{4,}\b", Page(page(answer, "ru")).words))
    assert words <= {"clip", "Triptych", "Triton", "RAVDESS"}


def test_a_larger_clip_is_linked_from_where_the_page_lies(clip: Path, tmp_path: Path):
    odd = clip.with_name("кот & пёс #1.mp4")
    odd.write_bytes(clip.read_bytes())
    found = Page(page(seen.answer(odd), folder=clip.parent / "pages", most_bytes=1000))
    assert found.one("video")["src"] == "../%D0%BA%D0%BE%D1%82%20%26%20%D0%BF%D1%91%D1%81%20%231.mp4"
    assert odd.name in found.words
    assert (Page(page(seen.answer(odd), most_bytes=1000)).one("video")["src"] or "").startswith("file:///")


def test_hidden_faces_are_nowhere_in_the_page(clip: Path, tmp_path: Path):
    answer = seen.answer(clip)
    found = Page(page(answer, redact=True))
    assert PAGE_LANGUAGES["en"].redacted in found.words
    (tmp_path / "copy.mp4").write_bytes(base64.b64decode((found.one("video")["src"] or "").partition(",")[2]))
    for time_s, image in pictures_at(answer, str(tmp_path / "copy.mp4"), [0.1, 2.9, 5.9]):
        assert seen.contrast(np.asarray(image), seen.box_at(time_s)) < 8
    for image in found.all("img"):
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode((image["src"] or "").partition(",")[2]))))
        assert np.abs(np.diff(pixels.astype(int), axis=1)).mean() < 8


def test_a_clip_with_hidden_faces_is_never_linked(clip: Path):
    found = Page(page(seen.answer(clip), redact=True, most_bytes=1000))
    assert not found.all("video")
    assert PAGE_LANGUAGES["en"].no_video["large"] in found.words


def test_a_clip_that_browsers_do_not_play_is_written_anew(tmp_path: Path):
    path = seen.write(tmp_path / "clip.avi", form="avi", codec="mjpeg")
    assert (Page(page(seen.answer(path))).one("video")["src"] or "").startswith("data:video/mp4;base64,")


def test_a_clip_of_sound_is_heard(tmp_path: Path):
    path = tmp_path / "sound.mp4"
    path.write_bytes(clips.make(sound=clips.tone(1.0)))
    answer = samples.analysis(str(path), CLIP=samples.f32([6.04, np.nan, np.nan, np.nan, 0, 1]))
    assert (Page(page(answer)).one("audio", id="media")["src"] or "").startswith("data:audio/mp4;base64,")


def test_a_file_that_became_unreadable_is_said(tmp_path: Path):
    (tmp_path / "a.mp4").write_bytes(b"no clip any more")
    assert PAGE_LANGUAGES["en"].no_video["unreadable"] in Page(page(seen.answer(tmp_path / "a.mp4"))).words


def test_a_language_without_words_is_refused():
    with pytest.raises(ValueError, match="not in 'de'"):
        page(samples.nothing(), "de")


def test_pages_have_the_languages_of_reports_and_the_same_sections():
    assert PAGE_LANGUAGES.keys() == LANGUAGES.keys()
    english = PAGE_LANGUAGES["en"]
    for words in PAGE_LANGUAGES.values():
        for name in ("headings", "notes", "corpora", "no_video"):
            assert getattr(words, name).keys() == getattr(english, name).keys()
        assert len(words.limits) == len(english.limits)


def test_every_word_of_a_language_is_used():
    folder = Path(page.__code__.co_filename).parent
    source = "".join(path.read_text(encoding="utf-8") for path in (*folder.glob("[vh]*.py"), *folder.rglob("*.jinja")))
    for name in PageLabels.__dataclass_fields__:
        assert re.search(rf"(page|words)\.{name}\b", source), name
    for heading in PAGE_LANGUAGES["en"].headings:
        assert f"words.headings.{heading}" in source, heading
