"""Russian for what the server says in English: every audio tag, every reason of a status, every model's role."""

from __future__ import annotations

import re

import pytest

from export import catalog
from samples import server_reasons
from triptych_client.labels import ENGLISH, RUSSIAN
from triptych_client.translation import RUSSIAN_REASONS, russian_audio_tags, translate

CYRILLIC = re.compile(r"[а-яё ,()«»-]+")
WITH_CAPITALS = {"орган Хаммонда", "музыка Болливуда"}
YAMNET_LACKS = {
    "Male speech, man speaking", "Female speech, woman speaking", "Battle cry", "Male singing", "Female singing",
    "Funny music",
}  # fmt: skip


def test_every_class_of_audioset_has_a_name():
    assert len(russian_audio_tags()) == 527


def test_every_label_of_the_exported_tagger_has_a_name(repository):
    labels = (repository / "sound_tagger" / "1" / "labels.txt").read_text(encoding="utf-8").splitlines()
    assert not set(labels) - russian_audio_tags().keys()
    if len(labels) == 521:
        assert russian_audio_tags().keys() - set(labels) == YAMNET_LACKS


def test_no_two_classes_share_a_name():
    assert len(set(russian_audio_tags().values())) == len(russian_audio_tags())


def test_names_are_cyrillic_in_lower_case():
    others = {name for name in russian_audio_tags().values() if not CYRILLIC.fullmatch(name)}
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


@pytest.mark.parametrize(("reason", "where"), server_reasons.templates().items())
def test_every_reason_of_the_server_has_a_translation(reason: str, where: str):
    said = reason.replace("{}", "7")
    translation = translate(said, RUSSIAN_REASONS)
    assert translation != said, f"{where} gives a reason that RUSSIAN_REASONS lacks"
    assert not re.search("[a-z]", translation)


def test_the_reasons_are_found_in_the_source():
    found = server_reasons.templates()
    assert "the audio track is silent" in found, "handed on by a function"
    assert "no speech detected" in found, "handed on by two"
    assert "the {} audio could not be decoded" in found


def test_values_of_a_reason_are_kept():
    assert translate("the aac (latm) audio could not be decoded", RUSSIAN_REASONS) == (
        "звук (aac (latm)) не удалось декодировать"
    )
    assert translate("no face found in 1 sampled frame", RUSSIAN_REASONS).endswith("(просмотрено кадров: 1)")


def test_a_reason_of_a_newer_server_stays_english():
    assert RUSSIAN.reason("the moon is full") == "the moon is full"
    assert ENGLISH.reason("the audio track is silent") == "the audio track is silent"


@pytest.mark.parametrize("labels", [ENGLISH, RUSSIAN])
def test_every_role_of_the_catalogue_has_a_name(labels):
    assert {entry.role for entry in catalog.load().values() if entry.role} == labels.roles.keys()
