"""The languages that people can read an answer in."""

from __future__ import annotations

from collections.abc import Mapping

from triptych_client.english import ENGLISH
from triptych_client.labels import Labels
from triptych_client.russian import RUSSIAN

LANGUAGES: Mapping[str, Labels] = {"en": ENGLISH, "ru": RUSSIAN}
"""By ISO 639-1 code. To add one: a module with its `Labels`, and a line here."""


def labels_of(lang: str) -> Labels:
    """Return the words of a language; ValueError when there are none."""
    if lang not in LANGUAGES:
        raise ValueError(f"answers are written in {' or '.join(LANGUAGES)}, not in {lang!r}")
    return LANGUAGES[lang]
