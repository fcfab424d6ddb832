"""The last step: from what every model said to the tensors of the answer (contract.STEPS["fusion"])."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from triptych import __version__, evidence, tags, text
from triptych.evidence import Evidence
from triptych.fusion import Fused, Timeline, fuse, softmax, timeline
from triptych.rationale import ENGLISH, RUSSIAN, explain
from triptych.status import Status
from triptych_client.contract import CHANNELS


@dataclass(frozen=True)
class Manifest:
    """What the repository holds: rows of MODELS, the channels without a model, and the tagger's class names."""

    models: tuple[tuple[str, str, str, str], ...]
    vacant: frozenset[str]
    labels: tuple[str, ...]

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read what `triptych export` wrote into the version folder of the fusion step."""
        lines = json.loads((folder / "models.json").read_text())
        served = [line for line in lines if line["role"] and not line["vacant"]]
        return cls(
            models=tuple((line["role"], line["name"], line["sha256"], line["licence"]) for line in served),
            vacant=frozenset(line["role"] for line in lines if line["vacant"]),
            labels=tuple((folder / "labels.txt").read_text().splitlines()),
        )


@dataclass(frozen=True)
class Utterances:
    """The clip's utterances in order: texts [u], spans [u, 2], log-probabilities [u], language of the most speech."""

    texts: list[str]
    spans: np.ndarray
    logprobs: np.ndarray
    language: str

    @classmethod
    def of(cls, texts: np.ndarray, spans: np.ndarray, logprobs: np.ndarray, languages: np.ndarray) -> Utterances:
        """Flatten the padded chunks [c, s] of the speech recogniser."""
        where = text.flatten(texts)
        flat = spans.reshape(-1, 2)[where]
        seconds: dict[str, float] = {}
        for chunk, (start, end) in zip(where // texts.shape[1], flat):
            code = bytes(languages[chunk, 0]).decode()
            seconds[code] = seconds.get(code, 0.0) + float(end - start)
        language = max(seconds, key=lambda code: seconds[code], default="")
        return cls(text.texts(texts), flat, logprobs.reshape(-1)[where], language)


def answer(inputs: dict[str, np.ndarray], manifest: Manifest) -> dict[str, np.ndarray]:
    """Return the outputs of the fusion step from its inputs, both by tensor name in the contract's shapes."""
    utterances = Utterances.of(
        inputs["UTTERANCES"], inputs["UTTERANCE_SPANS"], inputs["UTTERANCE_LOGPROBS"], inputs["LANGUAGES"]
    )
    channels = collect(inputs, utterances, manifest)
    fused = fuse(channels)
    names, scores = tags.strongest(inputs["TAGS"], inputs["SOUND_SPANS"], manifest.labels)
    return {
        **_clip_outputs(fused, channels),
        **_timeline_outputs(timeline(channels, float(inputs["CLIP"][0]))),
        **_face_outputs(inputs),
        **_text_outputs(inputs, utterances),
        "TAG_NAMES": _strings(names),
        "TAG_SCORES": scores,
        "MODELS": _strings(manifest.models).reshape(-1, 4),
        "VERSION": _strings([__version__]),
    }


def collect(inputs: dict[str, np.ndarray], utterances: Utterances, manifest: Manifest) -> dict[str, Evidence]:
    """Return each channel's evidence."""
    video = {"face": Status.read(inputs["VIDEO_STATUS"])}
    audio = dict.fromkeys(CHANNELS[1:], Status.read(inputs["AUDIO_STATUS"]))
    status = {
        name: evidence.unless_vacant(name, manifest.vacant, of_stream) for name, of_stream in (video | audio).items()
    }
    faces = int(inputs["FACE_COUNT"][0])
    spoken = len(utterances.texts)
    return {
        "face": evidence.face(
            status["face"],
            int(np.isfinite(inputs["FRAME_TIMES"]).sum()),
            inputs["FACE_TIMES"][:faces],
            inputs["FACE_TRACKS"][:faces],
            inputs["FACE_BOXES"][:faces],
            inputs["FACE_SCORES"][:faces],
            inputs["FACE_LOGITS"][:faces],
        ),
        "sound": evidence.windows(status["sound"], inputs["SOUND_SPANS"], inputs["SOUND_LOGITS"]),
        "voice": evidence.windows(status["voice"], inputs["VOICE_SPANS"], inputs["VOICE_LOGITS"]),
        "words": evidence.words(
            status["words"], utterances.spans, utterances.logprobs, inputs["WORDS_LOGITS"][:spoken]
        ),
    }


def _clip_outputs(fused: Fused, channels: dict[str, Evidence]) -> dict[str, np.ndarray]:
    return {
        "PROBABILITIES": fused.probabilities,
        "LOGITS": fused.logits,
        "CONTRIBUTIONS": fused.contributions,
        "CHANNEL_PROBABILITIES": fused.channel_probabilities,
        "CHANNEL_WEIGHTS": fused.weights,
        "CHANNEL_STATUS": np.stack([channels[name].status.tensor() for name in CHANNELS]),
        "ABSTAINED": np.array([fused.abstained]),
        "CONFLICT": np.array([fused.conflict]),
        "RATIONALE": _strings([explain(fused, ENGLISH), explain(fused, RUSSIAN)]),
    }


def _timeline_outputs(windows: Timeline) -> dict[str, np.ndarray]:
    return {
        "TIMELINE_SPANS": windows.spans,
        "TIMELINE_PROBABILITIES": windows.probabilities,
        "TIMELINE_CHANNELS": windows.channels,
    }


def _face_outputs(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    faces = int(inputs["FACE_COUNT"][0])
    names = ("FACE_TIMES", "FACE_TRACKS", "FACE_BOXES", "FACE_SCORES")
    return {
        **{name: inputs[name][:faces] for name in names},
        "FACE_PROBABILITIES": softmax(inputs["FACE_LOGITS"][:faces]),
    }


def _text_outputs(inputs: dict[str, np.ndarray], utterances: Utterances) -> dict[str, np.ndarray]:
    return {
        "TEXTS": _strings(utterances.texts),
        "TEXT_SPANS": utterances.spans,
        "TEXT_PROBABILITIES": softmax(inputs["WORDS_LOGITS"][: len(utterances.texts)]),
        "TEXT_CONFIDENCES": np.exp(utterances.logprobs),
        "LANGUAGE": _strings([utterances.language]),
    }


def _strings(values: object) -> np.ndarray:
    """Return an array of UTF-8 bytes objects, as Triton's BYTES wants them."""
    array = np.array(values, dtype=object)
    return np.vectorize(lambda item: item.encode(), otypes=[object])(array) if array.size else array
