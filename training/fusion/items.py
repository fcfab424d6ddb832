"""The labelled faces, recordings and texts that fusion learns from, clean and in noise, through the channels' models.

Whatever a model was trained on is left out: of FER2013 the validation faces, of the texts the published dev parts, and
of the recordings each is heard by the model of that fold of the voice's cross-validation which never heard its speaker.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from rich.progress import track

from networks import weights
from networks.voice.spectrogram_cnn import VoiceCnn
from training.data import fer
from training.data import speech as data_speech
from training.data import text as data_text
from training.data.speech import Recording, Speech
from training.data.text import DEV
from training.fusion.evidence import CONDITIONS, Bank, bank, cached
from training.fusion.models import Models
from training.voice import spectrogram_cnn
from triptych.answer import evidence
from triptych.answer.evidence import ChannelInput, Evidence, UtteranceRows
from triptych.answer.status import OK
from triptych.errors import TriptychError
from triptych.media import audio
from triptych.sound import mel
from triptych_client.contract import EMOTIONS, SAMPLE_RATE_HZ

Array = np.ndarray
Listen = Callable[[int, Array], Evidence]
"""(number of the recording, pcm) -> what a channel hears in it."""

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
EVENTS = {"laugh": "happiness"}
"""Labelled sounds that express an emotion; the others (coughs, knocks, applause, alarms) go with any."""
OWN_VOICE = "spectrogram-cnn"
"""The voice model whose published weights were trained on every speaker of the data."""


def collect(data: Path, out: Path, models: Models, voice_run: Path | None) -> dict[str, Bank]:
    """Return the items of every channel, and as "event" labelled sounds that can be heard beside a voice.

    What was computed before with the same models is read from `out`. TriptychError: data or a model is missing, or
    the voice model would be heard on the speakers that it was trained on.
    """
    heard_all = models.entry("voice") == OWN_VOICE
    if voice_run and not heard_all:
        raise TriptychError(
            f"--voice-run holds models of {OWN_VOICE}, but {models.entry('voice')} is exported: leave it out"
        )
    if heard_all and not voice_run:
        raise TriptychError(
            "the exported voice model has heard every speaker of the data: give --voice-run, the --out of the "
            "`triptych train voice` that made it, for its models of the cross-validation"
        )
    makers: dict[str, Callable[[], Bank]] = {
        "face": lambda: faces(data, models),
        "words": lambda: texts(data, models),
        "voice": lambda: speech(data, "voice", lambda known: _voice(models, known, voice_run)),
        "sound": lambda: speech(data, "sound", lambda known: lambda number, pcm: _sound(models, pcm)),
        "event": lambda: events(data, models),
    }
    keys = {name: models.digest("sound" if name == "event" else name) for name in makers}
    if voice_run:
        keys["voice"] = _digest(voice_run)
    return {name: cached(out / f"{name}-{keys[name]}.npz", name, make) for name, make in makers.items()}


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
    said = {"clean": unseen.texts, "noise": tuple(misheard(text, pool, random) for text in unseen.texts)}
    rows = {}
    for name, right in (("clean", 1.0), ("noise", 1 - WORD_ERRORS)):
        spans = np.array([[0.0, 1.0]])
        rows[name] = [
            evidence.words(ChannelInput("words", OK), UtteranceRows(spans, np.log([right]), ["en"], logits[None]), ())
            for logits in models.words(said[name])
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


def speech(data: Path, channel: str, listener: Callable[[list[Recording]], Listen]) -> Bank:
    """Return the recordings of RAVDESS and EMO-DB as a channel hears them."""
    known = list(data_speech.recordings(data))
    listen = listener(known)
    rows: dict[str, list[Evidence]] = {name: [] for name in CONDITIONS}
    for number, item in enumerate(track(known, channel)):
        rows["clean"].append(listen(number, item.pcm))
        rows["noise"].append(listen(number, add_noise(item.pcm, np.random.default_rng(number))))
    return bank(channel, rows, np.array([item.label for item in known]), np.array([item.speaker for item in known]))


def add_noise(pcm: Array, random: np.random.Generator) -> Array:
    """Return f32 [samples] with pink noise at SNR_DB below the mean power of the recording."""
    spectrum = np.fft.rfft(random.normal(size=len(pcm)))
    noise = np.fft.irfft(spectrum / np.sqrt(np.arange(len(spectrum)) + 1), len(pcm))
    wanted = np.mean(np.square(pcm, dtype=np.float64)) / 10 ** (SNR_DB / 10)
    return (pcm + noise * np.sqrt(wanted / np.mean(noise**2))).astype(np.float32)


def events(data: Path, models: Models) -> Bank:
    """Return the labelled sounds; the label is an index into EMOTIONS, or -1 for one that goes with any emotion."""
    folder = data / "audio_tags" / "human_sounds"
    table = folder / "labels.csv"
    if not table.is_file():
        raise TriptychError(f"there is no {table}: --data is the folder that holds audio_tags/")
    with table.open(encoding="utf-8", newline="") as file:
        named = [(row["file"], EVENTS.get(row["label"], "")) for row in csv.DictReader(file)]
    heard = [_sound(models, data_speech.decode((folder / name).read_bytes())) for name, _ in track(named, "events")]
    labels = np.array([EMOTIONS.index(emotion) if emotion else -1 for _, emotion in named])
    return bank("event", dict.fromkeys(CONDITIONS, heard), labels, np.array([name for name, _ in named]))


def _sound(models: Models, pcm: Array) -> Evidence:
    return evidence.sound(ChannelInput("sound", OK), *models.sounds(pcm))


def _voice(models: Models, known: list[Recording], run: Path | None) -> Listen:
    """Return how the voice channel hears: by the exported model, or by those of the folds of a `run`."""
    predict = _folds(known, run) if run else lambda number, pcm: models.voice(pcm)

    def listen(number: int, pcm: Array) -> Evidence:
        spans, logits = predict(number, pcm)
        return evidence.voice(ChannelInput("voice", OK), spans, np.array([[0, len(pcm) / SAMPLE_RATE_HZ]]), logits)

    return listen


def _digest(run: Path) -> str:
    """Return what tells the models of a run's folds from others; "" where there are none."""
    files = [path for path in spectrogram_cnn.fold_files(run) if path.is_file()]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12] if files else ""


def _folds(known: list[Recording], run: Path) -> Callable[[int, Array], tuple[Array, Array]]:
    """Return (number, pcm) -> spans and logits by the model that never heard the speaker, at the served temperature."""
    columns = (np.array([getattr(item, name) for item in known]) for name in ("label", "speaker", "corpus"))
    split = spectrogram_cnn.folds(Speech(torch.zeros(0), np.zeros(0), *columns), spectrogram_cnn.SETTINGS.seed)
    of_recording = {int(row): number for number, (_, held_out) in enumerate(split) for row in held_out}
    networks = spectrogram_cnn.load_folds(run)
    temperature = weights.load(VoiceCnn(), run / weights.FILE)

    @torch.inference_mode()
    def predict(number: int, pcm: Array) -> tuple[Array, Array]:
        windows, spans = audio.voice_windows(pcm)
        log_mel = torch.from_numpy(np.stack([mel.voice_log_mel(window) for window in windows]))
        return spans, networks[of_recording[number]](log_mel).numpy() / temperature

    return predict
