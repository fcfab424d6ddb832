"""What does the ensemble say of the dialogues that the founding description shows, spoken by a synthesiser?

python -m benchmarks.dialogues [--url HOST:PORT]

Two are given with their text and the three emotions that were expected (the third without its text). eSpeak NG speaks
them with two voices in turn: its intonation expresses nothing, so that only the words are put to the test here.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import typer

from benchmarks.measure import publish, table
from triptych.commands.demo_speech import synthesise
from triptych.serving.service import Service
from triptych_client import Analysis, Client
from triptych_client.contract import SAMPLE_RATE_HZ

PAUSE_S = 0.6
VOICES = ("ru+f3", "ru+m3")
TOP = 3


@dataclass(frozen=True)
class Dialogue:
    """Lines that two people say in turn, and what was expected of them, in percent."""

    lines: tuple[str, ...]
    expected: Mapping[str, float]


DIALOGUES = (
    Dialogue(
        ("Ну что, звоним в скорую?", "Из-за чего это?", "Из-за Бастиана.", "И что с ним?",
         "Он меня бросил и ещё смеётся."),
        {"sadness": 34.1, "neutral": 21.5, "happiness": 14.8},
    ),
    Dialogue(("Какой ужас! Что это с ним?", "Чего шипишь?"), {"sadness": 38.1, "happiness": 23.7, "disgust": 11.5}),
)  # fmt: skip


def main(url: Annotated[str, typer.Option(help="host:port of a service that runs; else one is started.")] = "") -> None:
    """Ask about each dialogue, and write the page."""
    with nullcontext() if url else Service() as service, Client(url or service.grpc_url, timeout_s=120) as client:
        answers = [client.analyze(spoken(dialogue)) for dialogue in DIALOGUES]
    rows = [_row(dialogue, answer) for dialogue, answer in zip(DIALOGUES, answers)]
    header = ("said", "heard", "expected", "the answer", "the words alone")
    publish("dialogues", "python -m benchmarks.dialogues", table(header, rows))


def spoken(dialogue: Dialogue) -> bytes:
    """Return a dialogue as a WAV file."""
    pause = np.zeros(round(PAUSE_S * SAMPLE_RATE_HZ), np.float32)
    parts = [
        part
        for number, line in enumerate(dialogue.lines)
        for part in (pause, synthesise(line, VOICES[number % len(VOICES)], words_per_minute=140))
    ]
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(SAMPLE_RATE_HZ)
        sound.writeframes((np.concatenate([*parts, pause]) * 32767).astype("<i2").tobytes())
    return file.getvalue()


def _row(dialogue: Dialogue, answer: Analysis) -> tuple[str, ...]:
    heard = " ".join(part.text for part in answer.transcript.utterances)
    words = answer.channels["words"].probabilities
    shares = [dialogue.expected, _percent(answer.emotion.probabilities), _percent(words or {})]
    return " ".join(dialogue.lines), heard, *map(_top, shares)


def _percent(probabilities: Mapping[str, float]) -> dict[str, float]:
    return {name: 100 * value for name, value in probabilities.items()}


def _top(shares: Mapping[str, float]) -> str:
    """Return the three likeliest emotions."""
    ranked = sorted(shares.items(), key=lambda item: -item[1])[:TOP]
    return ", ".join(f"{name} {share:.0f} %" for name, share in ranked) or "not there"


if __name__ == "__main__":
    typer.run(main)
