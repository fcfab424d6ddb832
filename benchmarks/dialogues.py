"""What does the ensemble say of the dialogues that the founding description shows, spoken by a synthesiser?

python -m benchmarks.dialogues [--url HOST:PORT]

Two are given with their text and the three emotions that were expected (of the third only the emotions). Festival reads
them with the recorded units of a Russian speaker (Debian: festival, festvox-ru); eSpeak NG, which speaks in the demo,
is not heard as speech in Russian. Its intonation expresses nothing that was meant: it is the words that are put to the
test, and the voice is said beside them because it counts in the answer all the same.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from benchmarks.measure import publish, table
from triptych.serving.service import Service
from triptych_client import Analysis, Client

PROGRAM = "text2wave"
VOICE = "(voice_msu_ru_nsh_clunits)"
TOP = 3


@dataclass(frozen=True)
class Dialogue:
    """What is said, and what was expected of it, in percent."""

    text: str
    expected: Mapping[str, float]


DIALOGUES = (
    Dialogue(
        "Ну что, звоним в скорую? Из-за чего это? Из-за Бастиана. И что с ним? Он меня бросил и ещё смеётся.",
        {"sadness": 34.1, "neutral": 21.5, "happiness": 14.8},
    ),
    Dialogue("Какой ужас! Что это с ним? Чего шипишь?", {"sadness": 38.1, "happiness": 23.7, "disgust": 11.5}),
)


def main(url: Annotated[str, typer.Option(help="host:port of a service that runs; else one is started.")] = "") -> None:
    """Ask about each dialogue, and write the page."""
    if not shutil.which(PROGRAM):
        raise typer.BadParameter(f"there is no {PROGRAM}: install Debian's packages festival and festvox-ru")
    with nullcontext() if url else Service() as service, Client(url or service.grpc_url, timeout_s=300) as client:
        answers = [client.analyze(spoken(dialogue.text)) for dialogue in DIALOGUES]
    header = ("said", "heard", "expected", "the answer", "words alone", "voice alone")
    publish("dialogues", "python -m benchmarks.dialogues", table(header, list(map(row, DIALOGUES, answers))))


def spoken(text: str) -> bytes:
    """Return a text as a WAV file, 16 kHz mono."""
    with TemporaryDirectory() as folder:
        wav = Path(folder, "speech.wav")
        subprocess.run([PROGRAM, "-eval", VOICE, "-o", wav], input=text.encode(), check=True, capture_output=True)
        return wav.read_bytes()


def row(dialogue: Dialogue, answer: Analysis) -> tuple[str, ...]:
    """Return what was said, heard, expected, answered."""
    heard = " ".join(part.text for part in answer.transcript.utterances)
    channels = (answer.channels[name].probabilities or {} for name in ("words", "voice"))
    shares = [dialogue.expected, *map(_percent, (answer.emotion.probabilities, *channels))]
    return dialogue.text, heard or "nothing", *map(top, shares)


def top(shares: Mapping[str, float]) -> str:
    """Return the three likeliest emotions."""
    ranked = sorted(shares.items(), key=lambda item: -item[1])[:TOP]
    return ", ".join(f"{name} {share:.0f} %" for name, share in ranked) or "not there"


def _percent(probabilities: Mapping[str, float]) -> dict[str, float]:
    return {name: 100 * value for name, value in probabilities.items()}


if __name__ == "__main__":
    typer.run(main)
