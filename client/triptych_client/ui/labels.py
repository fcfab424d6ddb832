"""The words around the report, in each language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class UiLabels:
    """The words of the page to try it on; `{mebibytes}` is the largest clip it takes."""

    title: str
    about: str
    clip: str
    report_in: str
    redact: str
    analyse: str
    no_clip: str
    report: str
    page_file: str
    json_file: str


UI_LANGUAGES: Mapping[str, UiLabels] = {
    "en": UiLabels(
        title="Triptych",
        about="The emotion that a clip **expresses**, as an onlooker might read it; not what a person feels. Drop a "
        "clip of up to {mebibytes}, or record one. It is sent to the server of this page, and deleted within an hour. "
        "Ask the people in it first, and decide about nobody by the answer.",
        clip="Clip",
        report_in="Language of the report",
        redact="Blur faces in the report",
        analyse="Analyse",
        no_clip="There is no clip yet: drop one, or record it.",
        report="Report",
        page_file="Save the report (HTML)",
        json_file="Save the answer (JSON)",
    ),
    "ru": UiLabels(
        title="Triptych",
        about="Эмоция, которую ролик **выражает**, как её увидел бы зритель, а не то, что человек чувствует. "
        "Перетащите сюда ролик до {mebibytes} или запишите его. Он уйдёт на сервер этой страницы и будет удалён в "
        "течение часа. Спросите сначала людей, которые в нём сняты, и никого не судите по ответу.",
        clip="Ролик",
        report_in="Язык отчёта",
        redact="Размыть лица в отчёте",
        analyse="Анализировать",
        no_clip="Ролика ещё нет: перетащите его сюда или запишите.",
        report="Отчёт",
        page_file="Сохранить отчёт (HTML)",
        json_file="Сохранить ответ (JSON)",
    ),
}
"""By ISO 639-1 code, as `languages.LANGUAGES`."""
