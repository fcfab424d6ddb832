"""The answer for one clip, as typed values; their names are those of the JSON, whose schema is made from them.

Times are seconds from the start of the clip; boxes are pixels of the upright source frame; None (null in the JSON)
stands for a value that there is no evidence for. What is annotated is what `schema` demands of the JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from triptych_client import tables
from triptych_client.characters import to_json
from triptych_client.contract import CHANNELS, EMOTIONS, RATIONALE_KINDS, REASONS, SCHEMA, STATES, TRACK_REASONS
from triptych_client.dimensions import Dimensions, derived
from triptych_client.languages import labels_of
from triptych_client.rationale import explain

if TYPE_CHECKING:
    from triptych_client.errors import TriptychClientError


def _one_of(values: tuple[str, ...]) -> Meta:
    return Meta(extra_json_schema={"enum": list(values)})


def _exactly(keys: tuple[str, ...]) -> Meta:
    return Meta(extra_json_schema={"required": list(keys), "propertyNames": {"enum": list(keys)}})


_IF_OK = Meta(
    extra_json_schema={
        "if": {"properties": {"status": {"const": "ok"}}},
        "then": {"properties": {"probabilities": {"type": "object"}, "contribution": {"type": "object"}}},
        "else": {
            "properties": {"weight": {"const": 0}, "probabilities": {"type": "null"}, "contribution": {"type": "null"}}
        },
    }
)

Share = Annotated[float, Meta(ge=0, le=1)]
Seconds = Annotated[float, Meta(ge=0)]
Count = Annotated[int, Meta(ge=0)]
Text = Annotated[str, Meta(min_length=1)]
Language = Annotated[str, Meta(min_length=2, description="ISO 639-1 code.")]
Label = Annotated[str, _one_of(EMOTIONS)]

Probabilities = Annotated[Mapping[str, Share], _exactly(EMOTIONS)]
"""A number for each of contract.EMOTIONS, in that order."""

Logits = Annotated[Mapping[str, float], _exactly(EMOTIONS)]
"""What is added to the logit of each emotion, in that order."""


@dataclass(frozen=True)
class Clip:
    """Facts of the container. `path` is None for bytes; size and rate (Hz) are None without video."""

    path: str | None
    duration_s: Seconds | None
    width: Count | None
    height: Count | None
    frame_rate: Annotated[float, Meta(ge=0)] | None
    has_video: bool
    has_audio: bool


@dataclass(frozen=True)
class Reliability:
    """How often answers as sure as this one were right, as it was measured for the server.

    Of `clips` labelled clips whose best probability lay within `least` and `most`, the share `right`. `on` names the
    clips.
    """

    least: Share
    most: Share
    right: Share
    clips: Count
    on: Text


@dataclass(frozen=True)
class Emotion:
    """The clip's expressed emotion. `top3` holds the three best with their probabilities.

    `abstained`: the evidence is too weak to name an emotion; `conflict`: the channels disagree. `track` is the person
    whose face the answer is about, None when nobody is seen; `track_reason` says why: the only person seen, the one
    seen during most of the speech, or the largest in size. `reliability` is None when nothing was measured for these
    models. `dimensions` are derived from the probabilities, whoever makes the object.
    """

    label: Label
    confidence: Share
    probabilities: Probabilities
    top3: Annotated[tuple[tuple[Label, Share], ...], Meta(min_length=3, max_length=3)]
    abstained: bool
    conflict: bool
    track: Count | None = None
    track_reason: Annotated[str, _one_of(TRACK_REASONS)] = ""
    reliability: Reliability | None = None
    dimensions: Dimensions | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "dimensions", derived(self.probabilities))


@dataclass(frozen=True)
class Channel:
    """One channel's part: `status` of contract.STATES; the rest is None, and `weight` 0, unless it is ok.

    `contribution` is what the channel adds to the logits of the answer. `reason` is for people: in words, "" for none;
    `reason_code` is one of contract.REASONS or "", and `reason_value` the number or name that belongs to it.
    """

    status: Annotated[str, _one_of(STATES)]
    reason: str
    weight: Share
    probabilities: Probabilities | None
    contribution: Logits | None
    reason_code: Annotated[str, Meta(examples=["", *REASONS])] = ""
    reason_value: str = ""


SURE_LANGUAGE = 0.5
"""A language that is less probable is as likely another one."""


@dataclass(frozen=True)
class Utterance:
    """One utterance; `confidence` is the geometric mean of its tokens' probabilities.

    `probabilities` are those of its words alone, `expressed` those of all channels meanwhile. `language_confidence` is
    the probability of `language`: below one half it is a guess (`language_is_sure`).
    """

    start_s: Seconds
    end_s: Seconds
    text: str
    probabilities: Probabilities | None
    confidence: Share | None
    language: Language | None = None
    expressed: Probabilities | None = None
    language_confidence: Share | None = None

    @property
    def language_is_sure(self) -> bool:
        """Whether the language is more than a guess; an older server does not say, and its languages count as sure."""
        return self.language_confidence is None or self.language_confidence >= SURE_LANGUAGE


@dataclass(frozen=True)
class Transcript:
    """What was said; `language` is None without speech."""

    language: Language | None
    text: str
    utterances: tuple[Utterance, ...]


@dataclass(frozen=True)
class AudioTag:
    """One AudioSet class, by its English name, with its probability.

    `timeline` has its probability in each window of the answer's timeline, None where no sound is heard.
    """

    label: Text
    score: Share
    timeline: tuple[Share | None, ...] = ()


@dataclass(frozen=True)
class AudioTrack:
    """One sound track of the file; `index` is its number among the file's streams, title and language are the file's.

    `heard` is None for a track that was not listened to, "all" for one whose channels were mixed, "inverted" where some
    were turned over since they would cancel each other, or the name of the only channel that was listened to.
    """

    index: Count
    title: str
    language: str
    channels: Count
    heard: str | None


@dataclass(frozen=True)
class Face:
    """One face in one frame; `track` numbers the person, from 0; `box` is x1, y1, x2, y2."""

    time_s: Seconds
    track: Count
    box: tuple[float, float, float, float]
    score: Share
    probabilities: Probabilities | None


@dataclass(frozen=True)
class Person:
    """One person's face over the clip, alone; `speech_s` is for how long speech is heard while the face is seen.

    `timeline` has an entry for each window of the answer's timeline, None where the person is not seen.
    """

    track: Count
    start_s: Seconds
    end_s: Seconds
    speech_s: Seconds
    probabilities: Probabilities | None
    timeline: tuple[Probabilities | None, ...]


@dataclass(frozen=True)
class TimelineWindow:
    """The expressed emotion within a part of the clip, fused and by channel; `dimensions` are derived from it."""

    start_s: Seconds
    end_s: Seconds
    probabilities: Probabilities | None
    channels: Annotated[Mapping[str, Probabilities | None], _exactly(CHANNELS)]
    dimensions: Dimensions | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "dimensions", derived(self.probabilities))


@dataclass(frozen=True)
class RationalePart:
    """A piece of a channel's evidence that the rationale names: what speaks for an emotion, and when.

    `kind` is cause (of the answer's emotion) or against (for another one); `what` is the utterance or the audio tag.
    """

    kind: Annotated[str, _one_of(RATIONALE_KINDS)]
    channel: Annotated[str, _one_of(CHANNELS)]
    emotion: Label
    start_s: Seconds
    end_s: Seconds
    what: str


@dataclass(frozen=True)
class Model:
    """A model that answered; `sha256` is None where no single file stands for it."""

    name: Text
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")] | None
    licence: str


@dataclass(frozen=True)
class Server:
    """Versions of Triton and of Triptych on the server."""

    triton: Text
    triptych: Text


@dataclass(frozen=True)
class FootagePart:
    """A stretch of a film that was analysed by itself; `error` says why it could not be, "" where it was."""

    start_s: Seconds
    end_s: Seconds
    error: str = ""


@dataclass(frozen=True)
class Footage:
    """How a long film was analysed: in parts. `complete`: none of them failed, and none is missing.

    `interrupted`: there are further parts, which were not analysed.
    """

    complete: bool
    interrupted: bool
    parts: tuple[FootagePart, ...]


@dataclass(frozen=True)
class Analysis:
    """The answer for one clip: the emotion that it expresses.

    `audio_tags` and the causes in `rationale_parts` are strongest first, `people` by track, `models` by role. The
    rationale is one or two sentences for people, made from its parts, which are None in an answer of an older server.
    `footage` is None for a clip that was analysed at once.
    """

    clip: Clip
    emotion: Emotion
    channels: Annotated[Mapping[str, Annotated[Channel, _IF_OK]], _exactly(CHANNELS)]
    transcript: Transcript
    audio_tags: tuple[AudioTag, ...]
    audio_tracks: tuple[AudioTrack, ...] = field(default=(), kw_only=True)
    faces: tuple[Face, ...]
    people: tuple[Person, ...] = field(default=(), kw_only=True)
    timeline: tuple[TimelineWindow, ...]
    rationale: str
    rationale_parts: tuple[RationalePart, ...] | None = field(default=None, kw_only=True)
    models: Annotated[Mapping[str, Model], Meta(extra_json_schema={"propertyNames": {"minLength": 1}})]
    server: Server
    footage: Footage | None = field(default=None, kw_only=True)
    embeddings: Mapping[str, np.ndarray] = field(default_factory=dict, compare=False, repr=False)
    """Not part of the JSON: the arrays [rows, width] float32 by name that `embeddings=True` asked for."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON answer as dictionaries, lists and plain values; `schema` comes first."""
        values = {f.name: _plain(getattr(self, f.name)) for f in fields(self) if f.compare}
        return {"schema": SCHEMA, **values}

    def to_json(self, *, indent: int | None = 2) -> str:
        """Return the JSON answer; `indent=None` gives one line."""
        return to_json(self.to_dict(), indent)

    def to_frame(self, library: str | None = None) -> Any:
        """Return the timeline as a data frame with a row a window, see `tables.WINDOW_COLUMNS`.

        `library` is pandas or polars; None: the first of them that is installed. InvalidRequest where there is none.

        >>> from triptych_client import Client
        >>> with Client("localhost:8001") as client:
        ...     frame = client.analyze("clip.mp4").to_frame()
        >>> list(frame.columns)[:4]
        ['path', 'start_s', 'end_s', 'label']
        """
        return tables.frame(self, library)

    def in_language(self, lang: str) -> Analysis:
        """Return the same answer with its reasons and rationale in a language; ValueError for one without words.

        What has no code, as in an answer of an older server, stays as it is.
        """
        labels = labels_of(lang)
        channels = {
            name: replace(channel, reason=labels.reason(channel.reason_code, channel.reason_value))
            for name, channel in self.channels.items()
            if channel.reason_code
        }
        rationale = self.rationale
        if self.rationale_parts is not None:
            evidence = any(channel.status == "ok" for channel in self.channels.values())
            rationale = (
                explain(self.emotion, self.rationale_parts, labels) if evidence else labels.rationale.no_evidence
            )
        return replace(self, channels={**self.channels, **channels}, rationale=rationale)

    @classmethod
    def from_dict(cls, answer: Mapping[str, Any]) -> Analysis:
        """Return the answer that `to_dict` wrote; ValueError when it is another thing, or of another schema."""
        if answer.get("schema") != SCHEMA:
            raise ValueError(f"this is an answer of schema {answer.get('schema')}; this client reads {SCHEMA}")
        return msgspec.convert(answer, cls)


@dataclass(frozen=True)
class Outcome:
    """What became of one clip of many: `index` counts them from 0; either `analysis` or `error` is None."""

    index: int
    path: str | None
    analysis: Analysis | None = None
    error: TriptychClientError | None = None


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
