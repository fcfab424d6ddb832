"""The last step: from what every model said to the tensors of the answer (contract.STEPS["fusion"])."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import softmax

from triptych import __version__
from triptych.answer import evidence, people, rationale, timeline
from triptych.answer.evidence import STEP_FAILED, ChannelInput, Evidence, UtteranceRows
from triptych.answer.fusion import Fused, fuse
from triptych.answer.manifest import Manifest
from triptych.answer.parameters import FEATURES, Parameters
from triptych.answer.rationale import Quotable
from triptych.answer.reliability import Reliability
from triptych.answer.status import Status
from triptych.sound import tags
from triptych.words import text
from triptych_client import contract
from triptych_client.contract import CHANNELS

UNSEEN_S = 1.0
"""Of a clip, so much at its start or end may go without pictures before it is said: tracks begin and end apart."""


@dataclass(frozen=True)
class Utterances:
    """The clip's utterances in order: texts [u], probabilities of their languages [u], what the words model saw.

    `speech` [k, 2] is when somebody speaks: what was detected as speech, and understood as words.
    """

    texts: list[str]
    rows: UtteranceRows
    speech: np.ndarray
    language_probabilities: np.ndarray

    @classmethod
    def of(cls, inputs: Mapping[str, np.ndarray]) -> Utterances:
        """Flatten the padded chunks [c, s] of the speech recogniser, whose times are trimmed to detected speech."""
        chunks = inputs["UTTERANCES"]
        spoken = text.flatten(chunks)
        said = inputs["UTTERANCE_SPANS"].reshape(-1, 2)[spoken]
        return cls(
            text.texts(chunks),
            UtteranceRows(
                spans=evidence.trimmed(said, inputs["SPEECH_SPANS"]),
                logprobs=inputs["UTTERANCE_LOGPROBS"].reshape(-1)[spoken],
                languages=[bytes(code).decode() for code in inputs["LANGUAGES"].reshape(-1)[spoken]],
                logits=_rows(inputs["WORDS_LOGITS"], len(spoken)),
            ),
            speech=evidence.common(said, inputs["SPEECH_SPANS"]),
            language_probabilities=inputs["LANGUAGE_PROBS"].reshape(-1)[spoken],
        )

    @property
    def language(self) -> str:
        """The language of most of the speech; "" without speech."""
        seconds = dict.fromkeys(self.rows.languages, 0.0)
        for code, (start, end) in zip(self.rows.languages, self.rows.spans.tolist()):
            seconds[code] += end - start
        return max(seconds, key=lambda code: seconds[code], default="")


@dataclass(frozen=True)
class ClipEvidence:
    """All that the models said of a clip, in the form that fusion works on."""

    utterances: Utterances
    faces: people.FaceRows
    main_track: people.MainTrack
    channels: Mapping[str, ChannelInput]
    evidence: Mapping[str, Evidence]


def answer(inputs: dict[str, np.ndarray], manifest: Manifest, translated: bool = False) -> dict[str, np.ndarray]:
    """Return the outputs of the fusion step from its inputs, both by tensor name in the contract's shapes.

    `translated`: the texts are in English, whatever language was spoken.
    """
    clip = collect(inputs, manifest, translated)
    fused = fuse(clip.evidence, manifest.parameters)
    quotable = Quotable(clip.utterances.texts, inputs["TAGS"], manifest.labels)
    spans = timeline.windows(float(inputs["CLIP"][0]))
    return {
        **_clip_outputs(fused, clip),
        **_rationale_outputs(rationale.parts(clip.evidence, fused, quotable)),
        **_timeline_outputs(clip, manifest.parameters, spans),
        **_face_outputs(clip),
        **_people_outputs(clip, manifest.parameters, spans),
        **_text_outputs(clip, manifest.parameters),
        **_tag_outputs(inputs, manifest, spans),
        **_reliability_outputs(fused, manifest),
        "MODELS": _strings(manifest.models).reshape(-1, 4),
        "VERSION": _strings([__version__]),
    }


def collect(inputs: dict[str, np.ndarray], manifest: Manifest, translated: bool = False) -> ClipEvidence:
    """Return what the models said, channel by channel."""
    utterances, faces = Utterances.of(inputs), _faces(inputs)
    streams = dict.fromkeys(CHANNELS, "AUDIO_STATUS") | {"face": "VIDEO_STATUS"}
    statuses = {name: Status.read(inputs[stream]) for name, stream in streams.items()}
    statuses |= _failed(inputs, statuses) | _left_out(inputs, statuses)
    channels = {name: manifest.channel(name, status) for name, status in statuses.items()}
    main_track = people.choose(faces, utterances.speech)
    read = replace(utterances.rows, languages=["en"] * len(utterances.texts)) if translated else utterances.rows
    by_channel = {
        "face": faces.of(channels["face"], main_track.track),
        "sound": evidence.sound(channels["sound"], inputs["SOUND_SPANS"], inputs["TAGS"], inputs["SOUND_LOGITS"]),
        "voice": evidence.voice(channels["voice"], inputs["VOICE_SPANS"], utterances.speech, inputs["VOICE_LOGITS"]),
        "words": evidence.words(channels["words"], read, manifest.languages),
    }
    return ClipEvidence(utterances, faces, main_track, channels, by_channel)


def _failed(inputs: Mapping[str, np.ndarray], statuses: Mapping[str, Status]) -> dict[str, Status]:
    """Return the status of each channel whose stream is there, and whose evidence a step could not tell."""
    unheard = contract.UNKNOWN_LANGUAGE.encode() in inputs["LANGUAGES"].ravel().tolist()
    unheard = unheard or bool(np.isnan(inputs["SPEECH_SPANS"]).any())
    unseen = inputs["FACE_COUNT"][0] < 0
    lost = (*(("voice", "words") if unheard else ()), *(("face",) if unseen else ()))
    return {name: STEP_FAILED for name in lost if statuses[name].ok}


def _left_out(inputs: Mapping[str, np.ndarray], statuses: Mapping[str, Status]) -> dict[str, Status]:
    """Return the status of the face channel where not all of the picture was seen, or not all of its faces."""
    if inputs["FACE_COUNT"][0] <= 0 or not statuses["face"].ok:
        return {}
    if part := _seen_part(inputs["FRAME_TIMES"], float(inputs["CLIP"][0])):
        return {"face": Status("ok", "seen_in_part", "{:.1f}-{:.1f}".format(*part))}
    left_out = int(inputs["FACES_FOUND"][0] - inputs["FACE_COUNT"][0])
    return {"face": Status("ok", "faces_left_out", str(left_out))} if left_out > 0 else {}


def _seen_part(frame_times: np.ndarray, duration_s: float) -> tuple[float, float] | None:
    """Return from when to when the picture was looked at; None where that is the whole clip."""
    times = frame_times[np.isfinite(frame_times)].astype(np.float64)
    half_step_s = float(np.median(np.diff(times))) / 2 if len(times) > 1 else 0.0
    start_s, end_s = max(times[0] - half_step_s, 0.0), min(times[-1] + half_step_s, duration_s)
    return None if start_s <= UNSEEN_S and end_s >= duration_s - UNSEEN_S else (start_s, end_s)


def _rows(logits: np.ndarray, count: int) -> np.ndarray:
    """Return the first `count` rows of logits [r, 7]: not-a-number where a failed step left less."""
    missing = np.full((max(count - len(logits), 0), logits.shape[1]), np.nan, logits.dtype)
    return np.concatenate([logits[:count], missing])


def _faces(inputs: Mapping[str, np.ndarray]) -> people.FaceRows:
    count = max(int(inputs["FACE_COUNT"][0]), 0)
    return people.FaceRows(
        frame_times=inputs["FRAME_TIMES"],
        times=inputs["FACE_TIMES"][:count],
        tracks=inputs["FACE_TRACKS"][:count],
        boxes=inputs["FACE_BOXES"][:count],
        scores=inputs["FACE_SCORES"][:count],
        logits=inputs["FACE_LOGITS"][:count],
        stands_for=inputs["FACE_STANDS_FOR"][:count],
        mouths=inputs["FACE_MOUTHS"][:count],
        visible=inputs["FACE_VISIBLE"][:count],
    )


def _clip_outputs(fused: Fused, clip: ClipEvidence) -> dict[str, np.ndarray]:
    return {
        "PROBABILITIES": fused.probabilities,
        "LOGITS": fused.logits,
        "CONTRIBUTIONS": fused.contributions,
        "CHANNEL_PROBABILITIES": fused.alone,
        "CHANNEL_WEIGHTS": fused.weights,
        "CHANNEL_STATUS": np.stack([clip.evidence[name].status.tensor() for name in CHANNELS]),
        "ABSTAINED": np.array([fused.abstained]),
        "CONFLICT": np.array([fused.conflict]),
        "EVIDENCE": np.stack([_x(clip.evidence[name]) for name in CHANNELS]),
    }


def _rationale_outputs(parts: tuple[rationale.Part, ...]) -> dict[str, np.ndarray]:
    texts, spans = rationale.tensors(parts)
    return {"RATIONALE_PARTS": _strings(texts), "RATIONALE_SPANS": spans}


def _x(part: Evidence) -> np.ndarray:
    """Return what the regression takes of a channel [14]; NaN unless it is ok."""
    return part.features().sum(axis=0) if part.ok else np.full(FEATURES, np.nan)


def _timeline_outputs(clip: ClipEvidence, parameters: Parameters, spans: np.ndarray) -> dict[str, np.ndarray]:
    windows = timeline.timeline(clip.evidence, parameters, spans)
    return {
        "TIMELINE_SPANS": windows.spans,
        "TIMELINE_PROBABILITIES": windows.probabilities,
        "TIMELINE_CHANNELS": windows.channels,
    }


def _face_outputs(clip: ClipEvidence) -> dict[str, np.ndarray]:
    return {
        "FACE_TIMES": clip.faces.times,
        "FACE_TRACKS": clip.faces.tracks,
        "FACE_BOXES": clip.faces.boxes,
        "FACE_SCORES": clip.faces.scores,
        "FACE_PROBABILITIES": softmax(
            clip.channels["face"].calibrated(clip.faces.logits) * clip.faces.visible[:, None], axis=-1
        ),
    }


def _people_outputs(clip: ClipEvidence, parameters: Parameters, spans: np.ndarray) -> dict[str, np.ndarray]:
    seen = people.describe(clip.faces, clip.channels["face"], parameters, spans)
    return {
        "TRACK_SPANS": seen.spans,
        "TRACK_SPEECH": people.speech_seconds(clip.faces, clip.utterances.speech),
        "TRACK_PROBABILITIES": seen.probabilities,
        "TRACK_TIMELINES": seen.timelines,
        "MAIN_TRACK": np.array([clip.main_track.track]),
        "MAIN_TRACK_REASON": _strings([clip.main_track.reason]),
    }


def _reliability_outputs(fused: Fused, manifest: Manifest) -> dict[str, np.ndarray]:
    """Say how often answers as sure were right, where all channels are there: it was measured on such clips."""
    known = manifest.reliability if fused.present.all() else Reliability.nothing()
    return {
        "RELIABILITY": known.of(float(fused.probabilities.max())),
        "RELIABILITY_ON": _strings([known.on]),
    }


def _tag_outputs(inputs: Mapping[str, np.ndarray], manifest: Manifest, spans: np.ndarray) -> dict[str, np.ndarray]:
    heard = tags.strongest(inputs["TAGS"], inputs["SOUND_SPANS"])
    return {
        "TAG_NAMES": _strings([manifest.labels[index] for index in heard.classes]),
        "TAG_SCORES": heard.scores,
        "TIMELINE_TAGS": tags.within(inputs["TAGS"][:, heard.classes], inputs["SOUND_SPANS"], spans),
    }


def _text_outputs(clip: ClipEvidence, parameters: Parameters) -> dict[str, np.ndarray]:
    rows = clip.utterances.rows
    return {
        "TEXTS": _strings(clip.utterances.texts),
        "TEXT_SPANS": rows.spans,
        "TEXT_LANGUAGES": _strings(rows.languages),
        "TEXT_LANGUAGE_CONFIDENCES": clip.utterances.language_probabilities,
        "TEXT_PROBABILITIES": softmax(clip.channels["words"].calibrated(rows.logits), axis=-1),
        "TEXT_EXPRESSED": timeline.expressed(clip.evidence, parameters, rows.spans),
        "TEXT_CONFIDENCES": np.exp(rows.logprobs),
        "LANGUAGE": _strings([clip.utterances.language]),
    }


def _strings(values: object) -> np.ndarray:
    """Return an array of UTF-8 bytes objects, as Triton's BYTES wants them."""
    array = np.array(values, dtype=object)
    return np.vectorize(lambda item: item.encode(), otypes=[object])(array) if array.size else array
