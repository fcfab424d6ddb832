"""The sounds of the checks: nobody speaking (recorded, and synthesised noise), and speech with what is said in it."""

from __future__ import annotations

import csv
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from scipy.linalg import solve_toeplitz
from scipy.signal import lfilter

from training.data import noise
from triptych.media import audio
from triptych_client.contract import SAMPLE_RATE_HZ

MAX_SECONDS = 60.0
NOISE_DB = (-60, -50, -40, -30)
NOISE_S = (1, 3, 10, 30)
COLOURS = {"white": 0.0, "pink": 1.0, "brown": 2.0}
"""Noise by the slope of its power density."""
FROM_CORPUS = 60
"""Recordings that are drawn of a corpus, always the same."""
BABBLE_DB = 5.0
TALKERS = 6


@dataclass(frozen=True)
class Said:
    """A recording of speech FP32 [samples], its set, what is said in it, and in which language."""

    group: str
    pcm: np.ndarray
    text: str
    language: str


def decode(path: Path) -> np.ndarray:
    """Return the sound of a file, FP32 [samples]."""
    return audio.decode(path.read_bytes(), MAX_SECONDS).pcm


def rows(path: Path) -> list[dict[str, str]]:
    """Return the lines of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def without_speech(data: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield name and sound of each input in which nobody speaks."""
    for folder in (data / "non_speech" / "clips", data / "audio_tags" / "human_sounds"):
        for path in sorted(folder.iterdir()):
            if path.suffix in (".ogg", ".flac"):
                yield path.name, decode(path)
    yield from synthesised()


def synthesised() -> Iterator[tuple[str, np.ndarray]]:
    """Yield noise of every colour, level and length, then clicks, hum, beeps and breaths."""
    random = np.random.default_rng(0)
    for colour in COLOURS:
        for level in NOISE_DB:
            for length_s in NOISE_S:
                yield f"{colour} noise, {level} dB, {length_s} s", _noise(random, colour, level, length_s)
    for length_s in (3, 10):
        seconds = np.arange(length_s * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
        room = _noise(random, "pink", -55, length_s)
        clicks = 0.5 * random.normal(size=len(seconds)) * (random.random(len(seconds)) < 3 / SAMPLE_RATE_HZ)
        hum = sum(np.sin(2 * np.pi * 50 * k * seconds) / k for k in range(1, 8))
        breath = np.maximum(np.sin(2 * np.pi * 0.35 * seconds), 0) ** 2
        yield f"clicks, {length_s} s", (room + clicks).astype(np.float32)
        yield f"hum, {length_s} s", (room + 0.005 * hum).astype(np.float32)
        yield (
            f"beeps, {length_s} s",
            (0.2 * np.sin(2 * np.pi * 1000 * seconds) * (seconds % 1 < 0.2)).astype(np.float32),
        )
        yield f"breaths, {length_s} s", (_noise(random, "pink", -28, length_s) * breath).astype(np.float32)


def _noise(random: np.random.Generator, colour: str, level_db: float, length_s: float) -> np.ndarray:
    white = torch.from_numpy(random.normal(size=round(length_s * SAMPLE_RATE_HZ)))
    coloured = noise.coloured(white, COLOURS[colour]).numpy()
    return (coloured / coloured.std() * 10 ** (level_db / 20)).astype(np.float32)


def with_speech(data: Path) -> list[Said]:
    """Return recordings of speech in six sets: as they are, shouted, whispered, and in babble of other speakers."""
    random = np.random.default_rng(0)
    read = [Said("read", decode(data / "asr" / row["file"]), row["transcript"], row["lang"]) for row in manifest(data)]
    acted = _drawn(data, "ravdess", "acted", random, lambda row: row["intensity"] != "strong", "en")
    shouted = _drawn(
        data, "ravdess", "shouted", random, lambda row: row["intensity"] == "strong" and row["emotion"] in SHOUTED, "en"
    )
    polish = _drawn(data, "nemo", "Polish", random, lambda row: True, "pl")
    plain = [*read, *acted[: FROM_CORPUS // 2]]
    whispered = [replace(item, group="whispered", pcm=whisper(item.pcm, random)) for item in plain]
    talking = [item.pcm for item in (*acted, *shouted)]
    in_babble = [replace(item, group="in babble, 5 dB", pcm=babble(item.pcm, talking, random)) for item in plain]
    return [*read, *acted, *shouted, *polish, *whispered, *in_babble]


SHOUTED = ("angry", "happy", "fearful")
"""What actors of RAVDESS shout when they express it strongly."""


def manifest(data: Path) -> list[dict[str, str]]:
    """Return the recordings of asr/."""
    return rows(data / "asr" / "manifest.csv")


Wanted = Callable[[dict[str, str]], bool]


def _drawn(
    data: Path, corpus: str, group: str, random: np.random.Generator, wanted: Wanted, language: str
) -> list[Said]:
    """Return recordings of a corpus whose row of the labels is wanted, FROM_CORPUS of them."""
    fitting = {row["file"]: row for row in rows(data / "speech" / f"{corpus}_labels.csv") if wanted(row)}
    names = set(random.permutation(sorted(fitting))[:FROM_CORPUS].tolist())
    (archive,) = (data / "speech").glob(f"{corpus}_*.tar")
    with tarfile.open(archive) as members:
        chosen = {Path(member.name).name: member for member in members if Path(member.name).name in names}
        sounds = {name: members.extractfile(chosen[name]).read() for name in sorted(names)}
    return [
        Said(group, audio.decode(sound, MAX_SECONDS).pcm, fitting[name]["transcript"], language)
        for name, sound in sounds.items()
    ]


def babble(pcm: np.ndarray, talking: list[np.ndarray], random: np.random.Generator) -> np.ndarray:
    """Add other speakers, each as loud as the others, all of them BABBLE_DB below the recording."""
    others = np.zeros(len(pcm))
    for place in random.integers(len(talking), size=TALKERS):
        other = np.resize(np.roll(talking[place], random.integers(len(talking[place]))), len(pcm))
        others += other / max(float(np.sqrt(noise.power(other)).item()), 1e-6)
    return noise.mix(pcm, others, BABBLE_DB).astype(np.float32)


def whisper(pcm: np.ndarray, random: np.random.Generator, order: int = 18) -> np.ndarray:
    """Return speech without its voice: noise through the filters that linear prediction finds, every 10 ms.

    So a whisper is made of speech by its source (Morris and Clements 2002, Medical Engineering & Physics, backwards).
    """
    frame, hop = SAMPLE_RATE_HZ // 40, SAMPLE_RATE_HZ // 100
    window, said = np.hanning(frame), np.zeros(len(pcm))
    for start in range(0, len(pcm) - frame, hop):
        piece = pcm[start : start + frame] * window
        lags = np.correlate(piece, piece, "full")[frame - 1 : frame + order]
        if lags[0] < 1e-8:
            continue
        lags[0] *= 1.0001
        predictor = solve_toeplitz(lags[:-1], lags[1:])
        gain = np.sqrt(max(lags[0] - predictor @ lags[1:], 1e-12) / frame)
        breath = gain * random.normal(size=frame)
        said[start : start + frame] += lfilter([1], [1, *-predictor], breath) * window
    return (0.2 * said / max(np.abs(said).max(), 1e-6)).astype(np.float32)
