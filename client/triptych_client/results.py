"""The answer for one clip, as typed values; their names are those of the JSON (`schema.json`).

Times are seconds from the start of the clip; boxes are pixels of the upright source frame; None stands for a value
that there is no evidence for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from triptych_client.contract import SCHEMA

if TYPE_CHECKING:
    from triptych_client.errors import TriptychClientError

Probabilities = Mapping[str, float]
"""A number for each of contract.EMOTIONS, in that order."""


@dataclass(frozen=True)
class Clip:
    """Facts of the container. `path` is None for bytes; size and rate (Hz) are None without video."""

    path: str | None
    duration_s: float | None
    width: int | None
    height: int | None
    frame_rate: float | None
    has_video: bool
    has_audio: bool


@dataclass(frozen=True)
class Emotion:
    """The clip's expressed emotion. `top3` holds the three best with their probabilities.

    `track` is the person whose face the answer is about, None when nobody is seen; `track_reason` says why, as one of
    contract.TRACK_REASONS.
    """

    label: str
    confidence: float
    probabilities: Probabilities
    top3: tuple[tuple[str, float], ...]
    abstained: bool
    conflict: bool
    track: int | None = None
    track_reason: str = ""


@dataclass(frozen=True)
class Channel:
    """One channel's part: `status` of contract.STATES; the rest is None, and `weight` 0, unless it is ok.

    `contribution` is what the channel adds to the logits of the answer.
    """

    status: str
    reason: str
    weight: float
    probabilities: Probabilities | None
    contribution: Probabilities | None


@dataclass(frozen=True)
class Utterance:
    """One utterance; `confidence` is the geometric mean of its tokens' probabilities.

    `probabilities` are those of its words alone, `expressed` those of all channels meanwhile; `language` is an ISO
    639-1 code.
    """

    start_s: float
    end_s: float
    text: str
    probabilities: Probabilities | None
    confidence: float | None
    language: str | None = None
    expressed: Probabilities | None = None


@dataclass(frozen=True)
class Transcript:
    """What was said; `language` is an ISO 639-1 code, None without speech."""

    language: str | None
    text: str
    utterances: tuple[Utterance, ...]


@dataclass(frozen=True)
class AudioTag:
    """One AudioSet class, by its English name, with its probability."""

    label: str
    score: float


@dataclass(frozen=True)
class Face:
    """One face in one frame; `track` numbers the person, from 0; `box` is x1, y1, x2, y2."""

    time_s: float
    track: int
    box: tuple[float, float, float, float]
    score: float
    probabilities: Probabilities | None


@dataclass(frozen=True)
class Person:
    """One person's face over the clip, alone; `speech_s` is for how long speech is heard while the face is seen.

    `timeline` has an entry for each window of the answer's timeline, None where the person is not seen.
    """

    track: int
    start_s: float
    end_s: float
    speech_s: float
    probabilities: Probabilities | None
    timeline: tuple[Probabilities | None, ...]


@dataclass(frozen=True)
class TimelineWindow:
    """The expressed emotion within a part of the clip, fused and by channel."""

    start_s: float
    end_s: float
    probabilities: Probabilities | None
    channels: Mapping[str, Probabilities | None]


@dataclass(frozen=True)
class Model:
    """A model that answered; `sha256` is None where no single file stands for it."""

    name: str
    sha256: str | None
    licence: str


@dataclass(frozen=True)
class Server:
    """Versions of Triton and of Triptych on the server."""

    triton: str
    triptych: str


@dataclass(frozen=True)
class Analysis:
    """The answer for one clip.

    Two fields are not part of the JSON: `rationales`, the rationale by language (en, ru), and `embeddings`, the
    arrays [rows, width] float32 by name that were asked for with `embeddings=True`.
    """

    clip: Clip
    emotion: Emotion
    channels: Mapping[str, Channel]
    transcript: Transcript
    audio_tags: tuple[AudioTag, ...]
    faces: tuple[Face, ...]
    people: tuple[Person, ...] = field(default=(), kw_only=True)
    timeline: tuple[TimelineWindow, ...]
    rationale: str
    models: Mapping[str, Model]
    server: Server
    rationales: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    embeddings: Mapping[str, np.ndarray] = field(default_factory=dict, compare=False, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON answer as dictionaries, lists and plain values; `schema` comes first."""
        values = {f.name: _plain(getattr(self, f.name)) for f in fields(self) if f.compare}
        return {"schema": SCHEMA, **values}

    def to_json(self, *, indent: int | None = 2) -> str:
        """Return the JSON answer; `indent=None` gives one line."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False, allow_nan=False)

    def in_language(self, lang: str) -> Analysis:
        """Return the same answer with its rationale in a language, where there is one."""
        return replace(self, rationale=self.rationales.get(lang, self.rationale))

    @classmethod
    def from_dict(cls, answer: Mapping[str, Any]) -> Analysis:
        """Return the answer that `to_dict` wrote; ValueError when it is of another version of the schema."""
        if answer.get("schema") != SCHEMA:
            raise ValueError(f"this is an answer of schema {answer.get('schema')}; this client reads {SCHEMA}")
        emotion, transcript = dict(answer["emotion"]), dict(answer["transcript"])
        emotion["top3"] = tuple((label, share) for label, share in emotion["top3"])
        transcript["utterances"] = tuple(Utterance(**utterance) for utterance in transcript["utterances"])
        return cls(
            clip=Clip(**answer["clip"]),
            emotion=Emotion(**emotion),
            channels={name: Channel(**channel) for name, channel in answer["channels"].items()},
            transcript=Transcript(**transcript),
            audio_tags=tuple(AudioTag(**tag) for tag in answer["audio_tags"]),
            faces=tuple(Face(**{**face, "box": tuple(face["box"])}) for face in answer["faces"]),
            people=tuple(Person(**{**one, "timeline": tuple(one["timeline"])}) for one in answer.get("people", ())),
            timeline=tuple(TimelineWindow(**window) for window in answer["timeline"]),
            rationale=answer["rationale"],
            models={role: Model(**model) for role, model in answer["models"].items()},
            server=Server(**answer["server"]),
        )


@dataclass(frozen=True)
class Outcome:
    """What became of one clip of many: `index` counts them from 0; either `analysis` or `error` is None."""

    index: int
    path: str | None
    analysis: Analysis | None = None
    error: TriptychClientError | None = None


class InOrder:
    """Puts outcomes that come in any order back into the order of the clips."""

    def __init__(self) -> None:
        self._waiting: dict[int, Outcome] = {}
        self._next = 0

    def add(self, outcome: Outcome) -> Iterator[Outcome]:
        """Take one outcome; yield those whose turn it is."""
        self._waiting[outcome.index] = outcome
        while self._next in self._waiting:
            yield self._waiting.pop(self._next)
            self._next += 1


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
