"""What the words of a page are for, beside those of every report (`triptych_client.labels`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class PageLabels:
    """The words of a page in one language.

    `headings` are by section, `notes` are sentences under them. `reliability` says how often answers as sure were
    right: `{least}`, `{most}` and `{right}` are percentages, `{clips}` a number, `{on}` the clips, of `corpora` by the
    name that the server gives. `no_video` is by reason, see `media.Media`.
    """

    title: str
    skip: str
    headings: Mapping[str, str]
    notes: Mapping[str, str]
    reliability: str
    not_reliable: str
    corpora: Mapping[str, str]
    sure: str
    top: str
    now: str
    position: str
    no_evidence_now: str
    words_alone: str
    language: str
    seen: str
    most_of: str
    face_at: str
    valence: str
    arousal: str
    from_to: str
    contribution: str
    sum: str
    no_tags_over_time: str
    about: tuple[str, ...]
    limits: tuple[str, ...]
    no_video: Mapping[str, str]
    linked_video: str
    redacted: str
    made_by: str
