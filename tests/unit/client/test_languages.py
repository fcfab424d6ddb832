"""The words of each language: for every code of the contract, every audio tag, every model's role."""

from __future__ import annotations

import re

import pytest

from export import catalog
from samples import client as samples
from triptych.answer import adaptation
from triptych_client import contract
from triptych_client.english import ENGLISH
from triptych_client.labels import Labels
from triptych_client.languages import LANGUAGES
from triptych_client.russian import RUSSIAN, audio_tags

CYRILLIC = re.compile(r"[а-яё ,()«»-]+")
WITH_CAPITALS = {"орган Хаммонда", "музыка Болливуда"}
YAMNET_LACKS = {
    "Male speech, man speaking", "Female speech, woman speaking", "Battle cry", "Male singing", "Female singing",
    "Funny music",
}  # fmt: skip


def test_every_class_of_audioset_has_a_name():
    assert len(audio_tags()) == 527


def test_every_label_of_the_exported_tagger_has_a_name(repository):
    labels = (repository / "sound_tagger" / "1" / "labels.txt").read_text(encoding="utf-8").splitlines()
    assert not set(labels) - audio_tags().keys()
    if len(labels) == 521:
        assert audio_tags().keys() - set(labels) == YAMNET_LACKS


def test_no_two_classes_share_a_name():
    assert len(set(audio_tags().values())) == len(audio_tags())


def test_names_are_cyrillic_in_lower_case():
    others = {name for name in audio_tags().values() if not CYRILLIC.fullmatch(name)}
    assert others == WITH_CAPITALS


def test_tags_read_as_a_sentence():
    heard = ["Speech", "Female speech, woman speaking", "Conversation", "Male speech, man speaking", "Giggle"]
    assert ", ".join(RUSSIAN.tags(heard)) == "Речь, женская речь, разговор, мужская речь, хихиканье"
    heard = ["Opera", "Music", "Speech", "Laughter", "Classical music", "Singing", "Giggle", "Orchestra"]
    assert ", ".join(RUSSIAN.tags(heard)) == "Опера, музыка, речь, смех, классическая музыка, пение, хихиканье, оркестр"
    heard = ["Speech", "Music", "Inside, small room", "Knock", "Laughter", "Hiccup"]
    assert ", ".join(RUSSIAN.tags(heard)) == "Речь, музыка, замкнутое пространство, стук, смех, икота"
    assert ENGLISH.tags(["Knock", "Giggle"]) == ["Knock", "Giggle"]
    assert RUSSIAN.tags(["Of tomorrow"]) == ["Of tomorrow"]


@pytest.mark.parametrize("labels", LANGUAGES.values(), ids=LANGUAGES)
def test_every_code_of_the_contract_has_words(labels: Labels):
    assert labels.reasons.keys() == contract.REASONS.keys()
    for code, value in contract.REASONS.items():
        assert ("{value}" in labels.reasons[code]) == bool(value), code
    assert labels.reasons_of_one.keys() <= {code for code, value in contract.REASONS.items() if value}
    assert labels.about.keys() == set(contract.TRACK_REASONS) - {"", "only"}, "of several people only"
    assert labels.rationale.unquoted.keys() == set(contract.CHANNELS)


@pytest.mark.parametrize("code", contract.REASONS)
def test_no_english_is_left_in_russian_reasons(code: str):
    assert not re.search("[A-Za-z]", RUSSIAN.reason(code, "7"))
    assert ENGLISH.reason(code, "7") != RUSSIAN.reason(code, "7")


def test_values_of_a_reason_are_said():
    assert RUSSIAN.reason("undecodable_audio", "aac (latm)") == "звук (aac (latm)) не удалось декодировать"
    assert RUSSIAN.reason("no_face", "1").endswith("(просмотрено кадров: 1)")
    assert ENGLISH.reason("no_face", "1") == "no face found in 1 sampled frame"
    assert ENGLISH.reason("no_face", "40") == "no face found in 40 sampled frames"
    assert ENGLISH.reason("undecodable_video", "{odd}") == "no frame of the {odd} video could be decoded"


@pytest.mark.parametrize("labels", [ENGLISH, RUSSIAN])
def test_a_code_of_a_newer_server_is_shown_as_it_is(labels: Labels):
    assert labels.reason("moon_is_full", "7") == "moon_is_full 7"
    assert labels.reason("") == ""


def test_a_language_without_words_is_refused_by_name():
    with pytest.raises(ValueError, match="en or ru, not in 'de'"):
        samples.analysis().in_language("de")


@pytest.mark.parametrize("labels", [ENGLISH, RUSSIAN])
def test_every_role_of_the_catalogue_has_a_name(labels):
    roles = {entry.role for entry in catalog.load().values() if entry.role}
    assert {*roles, adaptation.ROLE} == labels.roles.keys()
