"""The languages of a page: those of every report."""

from __future__ import annotations

from collections.abc import Mapping

from triptych_client.page.english import ENGLISH
from triptych_client.page.labels import PageLabels
from triptych_client.page.russian import RUSSIAN

PAGE_LANGUAGES: Mapping[str, PageLabels] = {"en": ENGLISH, "ru": RUSSIAN}
"""By ISO 639-1 code, as `languages.LANGUAGES`."""
