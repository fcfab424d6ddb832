"""The labelled faces, recordings and texts that fusion learns from, clean and in noise, through the channels' models.

Whatever a model was trained on is left out: of FER2013 the validation faces, of the texts the published dev parts, and
of the recordings each is answered by a model that was not trained on its speaker: see `speakers_to_ask`.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Set
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from rich.progress import track

from training.calibration import FOLDS
from training.data import fer, noise
from training.data import speech as data_speech
from training.data import text as data_text
from training.data.digest import digest
from training.data.speech import Recording
from training.data.text import DEV
from training.fusion.evidence import CONDITIONS, Bank, bank, cached
from training.fusion.models import Models
from training.voice.folds import Folds
from training.voice.trained_on import FILE as TRAINED_ON
from training.voice.trained_on import TrainedOn
from triptych.answer import evidence
from triptych.answer.evidence import ChannelInput, Evidence, UtteranceRows
from triptych.answer.status import OK
from triptych.errors import TriptychError
from triptych_client.contract import EMOTIONS

Array = np.ndarray
SoundModel = Callable[[Recording], Evidence]
"""What a channel that listens makes of a recording."""

VIEWS = 4
"""A still face becomes a clip of so many views of it: as it is, mirrored, and moved by a pixel or two."""
SNR_DB = 5.0
WORD_ERRORS = 0.3
"""Share of words that are wrong in noise. A recogniser's confidence, the mean probability of its tokens, is taken as
what it would be if it were calibrated: the share of right words."""
NOISE = {
    "face": "face hidden for half of the clip",
    "voice": f"voice in noise at {SNR_DB:.0f} dB",
    "words": f"{WORD_ERRORS:.0%} of the words wrong",
}
"""What the condition `noise` is, by channel; the sound channel hears what the voice does."""
EVENT_FOLDER = Path("audio_tags", "human_sounds")
EVENTS = {"laugh": "happiness"}
"""Labelled sounds that express an emotion; the others (coughs, knocks, applause, alarms) go with any."""
FEWEST_SPEAKERS = 2 * FOLDS
"""Half of the speakers are fitted on, and the calibration is chosen by holding out a fold of these."""
EVIDENCE_FORMAT = "triptych-evidence/4"
"""Another number when an item is made otherwise: what is kept of earlier runs is then computed anew."""


@dataclass(frozen=True)
class VoiceCheck:
    """How it is known that no voice is answered by a model that was trained on it.

    `run`: the --out of the `triptych train voice` that made the model, whose folds answer for it. `assume_unheard`: a
    model that does not say whose voices it was trained on is taken to know none of the data's.
    """

    run: Path | None = None
    assume_unheard: bool = False


def collect(data: Path, out: Path, models: Models, check: VoiceCheck) -> dict[str, Bank]:
    """Return the items of every channel, and as "event" labelled sounds that can be heard beside a voice.

    What was computed before of the same data with the same models is read from `out`. TriptychError: data or a model is
    missing, or too few of the data's speakers are unknown to the voice model.
    """
    speakers = speakers_to_ask(models, data_speech.speakers(data), check)
    makers: dict[str, Callable[[], Bank]] = {
        "face": lambda: faces(data, models),
        "words": lambda: texts(data, models),
        "voice": lambda: speech(data, speakers, "voice", _voice(models, speakers, check.run)),
        "sound": lambda: speech(data, speakers, "sound", lambda recording: _sound(models, recording.pcm)),
        "event": lambda: events(data, models),
    }
    return {
        name: cached(out / f"{name}-{_key(name, data, models, speakers, check.run)}.npz", name, make)
        for name, make in makers.items()
    }


def speakers_to_ask(models: Models, speakers: Set[str], check: VoiceCheck) -> set[str]:
    """Return the speakers whose recordings the voice channel may be calibrated on: its model was not trained on them.

    TriptychError when that cannot be known, or they are too few.
    """
    entry, trained_on = models.entry("voice"), models.voice_trained_on()
    if check.run:
        return _speakers_of_run(entry, trained_on, speakers, check.run)
    if trained_on is None and not check.assume_unheard:
        raise TriptychError(
            f"the exported voice model, {entry}, does not say whose voices it was trained on (there is no {TRAINED_ON} "
            "beside its weights): if none of the data's speakers is among them, say so by --assume-unheard"
        )
    known = trained_on.known(speakers) if trained_on else set()
    free = set(speakers) - known
    if known and len(free) < FEWEST_SPEAKERS:
        raise TriptychError(
            f"the exported voice model, {entry}, was trained on {len(known)} of the data's {len(speakers)} speakers, "
            f"and calibration needs {FEWEST_SPEAKERS} others: give --voice-run, the --out of the `triptych train "
            "voice` that made it, for its models of the cross-validation, or --data with other speakers"
        )
    return free


def _speakers_of_run(entry: str, trained_on: TrainedOn | None, speakers: Set[str], run: Path) -> set[str]:
    """Return all speakers, each of which some fold of the run was not trained on; TriptychError otherwise."""
    made = TrainedOn.read(run)
    if made is None:
        raise TriptychError(f"there is no {run / TRAINED_ON}: --voice-run is the --out of a `triptych train voice`")
    if made != trained_on:
        raise TriptychError(
            f"--voice-run holds models of {made.network}, but {entry} is exported, which is another network or was "
            "trained on other voices: leave it out, or give the run that made the exported model"
        )
    Folds.of(run, speakers)
    return set(speakers)


def _key(name: str, data: Path, models: Models, speakers: Set[str], run: Path | None) -> str:
    """Return what tells a channel's items from those of other data, models or speakers, wherever the data lie."""
    readers = {"face": fer.files, "words": data_text.files, "event": event_files}
    parts = [EVIDENCE_FORMAT, models.digest("sound" if name == "event" else name)]
    parts.append(digest(data, readers.get(name, data_speech.files)(data)))
    if name in ("voice", "sound"):
        parts += sorted(speakers)
    if name == "voice" and run:
        parts.append(digest(run, Folds.files(run)))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def faces(data: Path, models: Models) -> Bank:
    """Return FER2013's validation faces, each as a little clip."""
    stills = fer.load(data, 0.0)[1]
    rows: dict[str, list[Evidence]] = {name: [] for name in CONDITIONS}
    face, frames = ChannelInput("face", OK), np.arange(VIEWS) / 2
    for image in track(stills.images.numpy(), "faces"):
        logits = models.faces(views(image), np.zeros(VIEWS), 1000 * frames)
        for name, seen in (("clean", VIEWS), ("noise", VIEWS // 2)):
            rows[name].append(evidence.face(face, frames, frames[:seen], np.ones(seen), logits[:seen]))
    return bank("face", rows, stills.labels.numpy(), np.arange(len(stills)))


def views(image: Array) -> Array:
    """Return a still u8 [side, side] as a little clip u8 [VIEWS, side, side] of it."""
    moved = [np.roll(np.pad(image, 2, mode="edge"), shift, axis=(0, 1))[2:-2, 2:-2] for shift in ((1, -1), (-1, 2))]
    return np.stack([image, moved[0], image[:, ::-1], moved[1][:, ::-1]])


def texts(data: Path, models: Models) -> Bank:
    """Return the texts with one emotion of the dev parts, in languages that the model knows, each as one utterance."""
    unseen = data_text.load(data).of([DEV], languages=models.languages)
    unseen = unseen.choose(data_text.single_rows(unseen.targets))
    random = np.random.default_rng(0)
    pool = [word for text in unseen.texts[:2000] for word in text.split()]
    by_condition = {"clean": unseen.texts, "noise": tuple(misheard(text, pool, random) for text in unseen.texts)}
    rows = {}
    for name, right in (("clean", 1.0), ("noise", 1 - WORD_ERRORS)):
        spans = np.array([[0.0, 1.0]])
        rows[name] = [
            evidence.words(ChannelInput("words", OK), UtteranceRows(spans, np.log([right]), ["en"], logits[None]), ())
            for logits in models.words(by_condition[name])
        ]
    return bank("words", rows, unseen.targets.argmax(1), np.arange(len(unseen)))


def misheard(text: str, pool: list[str], random: np.random.Generator) -> str:
    """Return a text with WORD_ERRORS of its words left out, replaced, or with one more behind them, as likely each."""
    words: list[str] = []
    for word in text.split():
        if random.random() >= WORD_ERRORS:
            words.append(word)
            continue
        other = pool[random.integers(len(pool))]
        words += ([], [other], [word, other])[random.integers(3)]
    return " ".join(words) or pool[random.integers(len(pool))]


def speech(data: Path, speakers: Set[str], channel: str, model: SoundModel) -> Bank:
    """Return what a channel makes of these speakers' recordings in RAVDESS and EMO-DB."""
    recordings = [item for item in data_speech.recordings(data) if item.speaker in speakers]
    rows: dict[str, list[Evidence]] = {name: [] for name in CONDITIONS}
    for number, item in enumerate(track(recordings, channel)):
        rows["clean"].append(model(item))
        rows["noise"].append(model(replace(item, pcm=add_noise(item.pcm, np.random.default_rng(number)))))
    labels, groups = (np.array([getattr(item, name) for item in recordings]) for name in ("label", "speaker"))
    return bank(channel, rows, labels, groups)


def add_noise(pcm: Array, random: np.random.Generator) -> Array:
    """Return f32 [samples] with pink noise at SNR_DB below the mean power of the recording."""
    pink = noise.coloured(torch.from_numpy(random.normal(size=len(pcm))), slope=1.0)
    return noise.mix(pcm, pink.numpy(), SNR_DB).astype(np.float32)


def event_files(data: Path) -> list[Path]:
    """Return what `events` reads, and whatever else lies there."""
    return list((data / EVENT_FOLDER).glob("*"))


def events(data: Path, models: Models) -> Bank:
    """Return the labelled sounds; the label is an index into EMOTIONS, or -1 for one that goes with any emotion."""
    folder = data / EVENT_FOLDER
    table = folder / "labels.csv"
    if not table.is_file():
        raise TriptychError(f"there is no {table}: --data is the folder that holds audio_tags/")
    with table.open(encoding="utf-8", newline="") as file:
        named = [(row["file"], EVENTS.get(row["label"], "")) for row in csv.DictReader(file)]
    parts = [_sound(models, data_speech.decode((folder / name).read_bytes())) for name, _ in track(named, "events")]
    labels = np.array([EMOTIONS.index(emotion) if emotion else -1 for _, emotion in named])
    return bank("event", dict.fromkeys(CONDITIONS, parts), labels, np.array([name for name, _ in named]))


def _sound(models: Models, pcm: Array) -> Evidence:
    return evidence.sound(ChannelInput("sound", OK), *models.sounds(pcm))


def _voice(models: Models, speakers: Set[str], run: Path | None) -> SoundModel:
    """Return the voice channel: the exported model, or those of the folds of a `run`."""
    heads = Folds.of(run, speakers) if run else None

    def evidence_of(recording: Recording) -> Evidence:
        speech_s, windows = models.spoken(recording.pcm)
        logits = heads.voice(windows.pcm, recording.speaker) if heads else models.voice(windows.pcm)
        return evidence.voice(ChannelInput("voice", OK), windows.spans, speech_s, logits)

    return evidence_of
