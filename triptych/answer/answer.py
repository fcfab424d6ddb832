"""The last step: from what every model said to the tensors of the answer (contract.STEPS["fusion"])."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from triptych import __version__
from triptych.answer import evidence, people, timeline
from triptych.answer.evidence import Channel, Evidence
from triptych.answer.fusion import Fused, fuse, softmax
from triptych.answer.parameters import CALIBRATION_FOLDER, FEATURES, FUSION_FILE, Calibration, Parameters
from triptych.answer.rationale import ENGLISH, RUSSIAN, Heard, explain, reasons
from triptych.answer.status import Status
from triptych.generations import whole
from triptych.sound import tags
from triptych.words import text
from triptych_client.contract import CHANNELS


@dataclass(frozen=True)
class Manifest:
    """What the repository holds: rows of MODELS, channels without a model, the tagger's class names, and numbers.

    `languages` are those that the words model knows, any when empty. `calibrations` are by channel.
    """

    models: tuple[tuple[str, str, str, str], ...]
    vacant: frozenset[str]
    labels: tuple[str, ...]
    languages: frozenset[str] = frozenset()
    parameters: Parameters = field(default_factory=Parameters.opinion_pool)
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)

    @classmethod
    @whole
    def read(cls, folder: Path) -> Manifest:
        """Read what `triptych export` wrote into the version folder of the fusion step."""
        lines = json.loads((folder / "models.json").read_text())
        served = [line for line in lines if line["role"] and not line["vacant"]]
        in_slot = {line["role"]: line for line in served}
        return cls(
            models=tuple((line["role"], line["name"], line["sha256"], line["licence"]) for line in served),
            vacant=frozenset(line["role"] for line in lines if line["vacant"]),
            labels=tuple((folder / "labels.txt").read_text().splitlines()),
            languages=frozenset(in_slot.get("words", {}).get("languages", ())),
            parameters=Parameters.read(folder / FUSION_FILE),
            calibrations={
                name: Calibration.read(folder / CALIBRATION_FOLDER / f"{name}.json", in_slot[name]["name"])
                for name in CHANNELS
                if name in in_slot
            },
        )


@dataclass(frozen=True)
class Utterances:
    """The clip's utterances in order: texts [u], spans [u, 2], log-probabilities [u], language of each [u]."""

    texts: list[str]
    spans: np.ndarray
    logprobs: np.ndarray
    languages: list[str]

    @classmethod
    def of(cls, texts: np.ndarray, spans: np.ndarray, logprobs: np.ndarray, languages: np.ndarray) -> Utterances:
        """Flatten the padded chunks [c, s] of the speech recogniser."""
        where = text.flatten(texts)
        codes = [bytes(languages[chunk, 0]).decode() for chunk in where // texts.shape[1]]
        return cls(text.texts(texts), spans.reshape(-1, 2)[where], logprobs.reshape(-1)[where], codes)

    @property
    def language(self) -> str:
        """The language of most of the speech; "" without speech."""
        seconds = dict.fromkeys(self.languages, 0.0)
        for code, (start, end) in zip(self.languages, self.spans.tolist()):
            seconds[code] += end - start
        return max(seconds, key=lambda code: seconds[code], default="")


@dataclass(frozen=True)
class Clip:
    """All that the models said of a clip, in the form that fusion works on."""

    utterances: Utterances
    faces: people.Faces
    about: people.Choice
    channels: Mapping[str, Channel]
    evidence: Mapping[str, Evidence]


def answer(inputs: dict[str, np.ndarray], manifest: Manifest, translated: bool = False) -> dict[str, np.ndarray]:
    """Return the outputs of the fusion step from its inputs, both by tensor name in the contract's shapes.

    `translated`: the texts are in English, whatever language was spoken.
    """
    clip = collect(inputs, manifest, translated)
    fused = fuse(clip.evidence, manifest.parameters)
    heard = Heard(clip.utterances.texts, inputs["TAGS"], manifest.labels)
    names, scores = tags.strongest(inputs["TAGS"], inputs["SOUND_SPANS"], manifest.labels)
    spans = timeline.windows(float(inputs["CLIP"][0]))
    return {
        **_clip_outputs(fused, clip, heard),
        **_timeline_outputs(clip, manifest.parameters, spans),
        **_face_outputs(clip),
        **_people_outputs(clip, manifest.parameters, spans),
        **_text_outputs(inputs, clip, manifest.parameters),
        "TAG_NAMES": _strings(names),
        "TAG_SCORES": scores,
        "MODELS": _strings(manifest.models).reshape(-1, 4),
        "VERSION": _strings([__version__]),
    }


def collect(inputs: dict[str, np.ndarray], manifest: Manifest, translated: bool = False) -> Clip:
    """Return what the models said, channel by channel."""
    utterances = Utterances.of(
        inputs["UTTERANCES"], inputs["UTTERANCE_SPANS"], inputs["UTTERANCE_LOGPROBS"], inputs["LANGUAGES"]
    )
    faces, channels = _faces(inputs), _channels(inputs, manifest)
    about = people.choose(faces, utterances.spans)
    spoken = ["en"] * len(utterances.texts) if translated else utterances.languages
    found = {
        "face": faces.of(channels["face"], about.track),
        "sound": evidence.sound(channels["sound"], inputs["SOUND_SPANS"], inputs["TAGS"], inputs["SOUND_LOGITS"]),
        "voice": evidence.voice(channels["voice"], inputs["VOICE_SPANS"], utterances.spans, inputs["VOICE_LOGITS"]),
        "words": evidence.words(
            channels["words"],
            utterances.spans,
            utterances.logprobs,
            spoken,
            manifest.languages,
            inputs["WORDS_LOGITS"][: len(spoken)],
        ),
    }
    return Clip(utterances, faces, about, channels, found)


def _channels(inputs: Mapping[str, np.ndarray], manifest: Manifest) -> dict[str, Channel]:
    """Return each channel with the status of the stream that it reads."""
    streams = dict.fromkeys(CHANNELS, "AUDIO_STATUS") | {"face": "VIDEO_STATUS"}
    return {
        name: Channel(
            name,
            evidence.unless_vacant(name, manifest.vacant, Status.read(inputs[stream])),
            manifest.calibrations.get(name, Calibration()),
        )
        for name, stream in streams.items()
    }


def _faces(inputs: Mapping[str, np.ndarray]) -> people.Faces:
    count = int(inputs["FACE_COUNT"][0])
    names = ("FACE_TIMES", "FACE_TRACKS", "FACE_BOXES", "FACE_SCORES", "FACE_LOGITS")
    return people.Faces(inputs["FRAME_TIMES"], *(inputs[name][:count] for name in names))


def _clip_outputs(fused: Fused, clip: Clip, heard: Heard) -> dict[str, np.ndarray]:
    why = reasons(clip.evidence, fused, heard)
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
        "RATIONALE": _strings([explain(fused, why, ENGLISH), explain(fused, why, RUSSIAN)]),
    }


def _x(part: Evidence) -> np.ndarray:
    """Return what the regression takes of a channel [14]; NaN unless it is ok."""
    return part.features().sum(axis=0) if part.ok else np.full(FEATURES, np.nan)


def _timeline_outputs(clip: Clip, parameters: Parameters, spans: np.ndarray) -> dict[str, np.ndarray]:
    windows = timeline.timeline(clip.evidence, parameters, spans)
    return {
        "TIMELINE_SPANS": windows.spans,
        "TIMELINE_PROBABILITIES": windows.probabilities,
        "TIMELINE_CHANNELS": windows.channels,
    }


def _face_outputs(clip: Clip) -> dict[str, np.ndarray]:
    return {
        "FACE_TIMES": clip.faces.times,
        "FACE_TRACKS": clip.faces.tracks,
        "FACE_BOXES": clip.faces.boxes,
        "FACE_SCORES": clip.faces.scores,
        "FACE_PROBABILITIES": softmax(clip.channels["face"].calibrated(clip.faces.logits)),
    }


def _people_outputs(clip: Clip, parameters: Parameters, spans: np.ndarray) -> dict[str, np.ndarray]:
    found = people.describe(clip.faces, clip.channels["face"], parameters, spans, clip.utterances.spans)
    return {
        "TRACK_SPANS": found.spans,
        "TRACK_SPEECH": found.speech_s,
        "TRACK_PROBABILITIES": found.probabilities,
        "TRACK_TIMELINES": found.timelines,
        "MAIN_TRACK": np.array([clip.about.track]),
        "MAIN_TRACK_REASON": _strings([clip.about.reason]),
    }


def _text_outputs(inputs: Mapping[str, np.ndarray], clip: Clip, parameters: Parameters) -> dict[str, np.ndarray]:
    said = clip.utterances
    logits = clip.channels["words"].calibrated(inputs["WORDS_LOGITS"][: len(said.texts)])
    return {
        "TEXTS": _strings(said.texts),
        "TEXT_SPANS": said.spans,
        "TEXT_LANGUAGES": _strings(said.languages),
        "TEXT_PROBABILITIES": softmax(logits),
        "TEXT_EXPRESSED": timeline.expressed(clip.evidence, parameters, said.spans),
        "TEXT_CONFIDENCES": np.exp(said.logprobs),
        "LANGUAGE": _strings([said.language]),
    }


def _strings(values: object) -> np.ndarray:
    """Return an array of UTF-8 bytes objects, as Triton's BYTES wants them."""
    array = np.array(values, dtype=object)
    return np.vectorize(lambda item: item.encode(), otypes=[object])(array) if array.size else array
