"""What the words of a language are for; the words stand in a module a language (`languages.LANGUAGES`).

Machine-readable formats keep the English labels of the contract.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Phrases:
    """The sentences of a rationale, see `rationale.explain`.

    `unquoted` and `quoted` name a piece of a channel's evidence, by channel: `{when}` is a moment or a stretch,
    `{what}` an audio tag or the words of an utterance. `against_many` is `against` of several things ("the words").
    """

    unquoted: Mapping[str, str]
    quoted: Mapping[str, str]
    moment: str
    stretch: str
    decimal: str
    conjunction: str
    no_evidence: str
    named: str
    abstained: str
    unexplained: str
    against: str
    against_many: str


@dataclass(frozen=True)
class Labels:
    """What answers and reports say in one language.

    `about` says of several people whom the answer is about, by reason of contract.TRACK_REASONS. `reasons` are by code
    of contract.REASONS, `{value}` being the reason's value; `reasons_of_one` are those that read differently when the
    value is 1. `incomplete` says how much of a long film was analysed. `audio_track` and the two behind it say what is
    heard of a file's sound tracks. `audio_tags` is by AudioSet's English names; what it lacks stays English.
    """

    emotions: Mapping[str, str]
    channels: Mapping[str, str]
    states: Mapping[str, str]
    headings: Mapping[str, str]
    columns: Mapping[str, str]
    roles: Mapping[str, str]
    no_emotion: str
    abstained: str
    conflict: str
    no_speech: str
    transcript_note: str
    no_sounds: str
    no_faces: str
    person: str
    more_people: str
    about: Mapping[str, str]
    seconds: str
    frames_per_second: str
    without_video: str
    without_audio: str
    incomplete: str
    audio_track: str
    only_channel: str
    channels_inverted: str
    reasons: Mapping[str, str]
    rationale: Phrases
    reasons_of_one: Mapping[str, str] = field(default_factory=dict)
    audio_tags: Mapping[str, str] = field(default_factory=dict)

    def emotion(self, label: str | None) -> str:
        """Return the name of an emotion; a dash for none."""
        return self.emotions[label] if label else self.no_emotion

    def tag(self, label: str) -> str:
        """Return the name of an audio tag."""
        return self.audio_tags.get(label, label)

    def tags(self, labels: Iterable[str]) -> list[str]:
        """Return the names of audio tags as a list in a sentence: the first begins with a capital letter."""
        names = [self.tag(label) for label in labels]
        return [name[:1].upper() + name[1:] if index == 0 else name for index, name in enumerate(names)]

    def reason(self, code: str, value: str = "") -> str:
        """Return a reason in words, "" for none; one of a newer server as its code and value are."""
        template = (self.reasons_of_one if value == "1" else {}).get(code) or self.reasons.get(code)
        return template.format(value=value) if template else f"{code} {value}".strip()

    def role(self, name: str) -> str:
        """Return what a model is for."""
        return self.roles.get(name, name)
