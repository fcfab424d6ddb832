"""Translation of what a server says in English: names of audio tags, and the reasons of a channel's status."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from string import Formatter

RUSSIAN_REASONS: Mapping[str, str] = {
    "no model exported": "модель не установлена",
    "nothing in this window": "в этом отрезке ничего нет",
    "its model gave numbers that are not finite": "модель выдала нечисловой результат",
    "the file has no video track": "в файле нет видеодорожки",
    "the format of the video track is not known": "формат видеодорожки неизвестен",
    "no frame of the {codec} video could be decoded": "ни один кадр видео ({codec}) не удалось декодировать",
    "no face found in {count} sampled {frames}": "лицо не найдено (просмотрено кадров: {count})",
    "the file has no audio track": "в файле нет звуковой дорожки",
    "the format of the audio track is not known": "формат звуковой дорожки неизвестен",
    "the {codec} audio could not be decoded": "звук ({codec}) не удалось декодировать",
    "the audio track is silent": "звуковая дорожка беззвучна",
    "no sound": "звука нет",
    "no speech detected": "речь не обнаружена",
    "speech in an unsupported language for the words model: {language}": (
        "речь на языке, которого модель слов не знает: {language}"
    ),
}
"""The server's reasons as templates, English to Russian; a field holds any words. A test holds them to the server's."""


def translate(reason: str, templates: Mapping[str, str]) -> str:
    """Return a reason by the first template that it fits; unchanged when none does, as from a newer server."""
    for template, translation in templates.items():
        if found := _pattern(template).fullmatch(reason):
            return translation.format(**found.groupdict())
    return reason


@cache
def russian_audio_tags() -> Mapping[str, str]:
    """Return the Russian names of AudioSet's 527 classes by their English display names, in lower case.

    They are the package's file audioset_ru.tsv, which is under CC BY-SA 4.0 as the ontology that it translates.
    """
    text = files("triptych_client").joinpath("audioset_ru.tsv").read_text(encoding="utf-8")
    return dict(line.split("\t") for line in text.splitlines() if not line.startswith("#"))


@cache
def _pattern(template: str) -> re.Pattern[str]:
    parts = ((re.escape(text), field) for text, field, *_ in Formatter().parse(template))
    return re.compile("".join(text + (f"(?P<{field}>.+)" if field else "") for text, field in parts))
