"""How many words are lost, and how much time is saved, when Whisper's encoder hears less than 30 s?

python -m benchmarks.whisper_ways --data DIR [--silence SECONDS ..]

DIR is the data folder: the recordings of speech of `benchmarks.evidence`, each decoded whole and by itself. A way is
how much silence the encoder hears after the sound. All ways decode each recording in turn.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from pathlib import Path
from typing import Annotated

import jiwer
import numpy as np
import typer
from transformers.models.whisper.english_normalizer import BasicTextNormalizer

from benchmarks.evidence import sounds
from benchmarks.measure import publish, table
from benchmarks.whisper_wer import NORMALIZERS
from export.gates.inputs import log_mels
from triptych.paths import MODEL_REPOSITORY
from triptych.resources import cores
from triptych.sound.mel import WHISPER_N_MELS
from triptych.words.whisper.decoding import DecodingOptions
from triptych.words.whisper.model import WINDOW_S, Running
from triptych.words.whisper.recogniser import Recogniser
from triptych_client.contract import SAMPLE_RATE_HZ

WAYS = [WINDOW_S, 5.0, 2.0]
"""The first is what the others are compared with: Whisper as it was trained."""


def main(
    data: Annotated[Path, typer.Option(help="The data folder.")],
    way: Annotated[list[float], typer.Option("--silence", help="Seconds; the first is compared with.")] = WAYS,
) -> None:
    """Decode every recording in each way; publish wrong words by set, and time."""
    recognisers = {one: recogniser(one) for one in way}
    said: dict[str, list[str]] = defaultdict(list)
    heard: dict[tuple[float, str], list[str]] = defaultdict(list)
    seconds: dict[float, list[float]] = defaultdict(list)
    for item in sounds.with_speech(data):
        pcm = item.pcm[: round(WINDOW_S * SAMPLE_RATE_HZ)]
        log_mel = log_mels(pcm[None], WHISPER_N_MELS)
        normalize = NORMALIZERS.get(item.language, BasicTextNormalizer())
        said[item.group].append(normalize(item.text))
        for one, asked in recognisers.items():
            began = time.perf_counter()
            (found,) = asked.transcribe(log_mel, np.array([[[0, len(pcm) / SAMPLE_RATE_HZ]]]), [DecodingOptions()])
            seconds[one].append(time.perf_counter() - began)
            heard[one, item.group].append(normalize(" ".join(segment.text for segment in found.segments)))
    rows = [line(one, way[0], said, heard, seconds) for one in way]
    header = ("silence heard", *(f"{group}, {len(texts)}" for group, texts in said.items()), "time, ratio")
    command = " ".join(["python -m benchmarks.whisper_ways --data DIR", *(f"--silence {one:g}" for one in way)])
    text = (
        f"Wrong words in percent, by set of recordings; time: least and median of the ratios.\n\n{table(header, rows)}"
    )
    publish("whisper_ways", command, text)


def recogniser(silence_s: float) -> Recogniser:
    """Return what decodes in a way."""
    return Recogniser(MODEL_REPOSITORY / "whisper" / "1", Running(cores(), silence_s=silence_s))


def line(
    way: float,
    first: float,
    said: dict[str, list[str]],
    heard: dict[tuple[float, str], list[str]],
    seconds: dict[float, list[float]],
) -> tuple[str, ...]:
    """Return a way's line of the table."""
    ratios = np.divide(seconds[way], seconds[first])
    rates = (f"{100 * jiwer.wer(texts, heard[way, group]):.1f}" for group, texts in said.items())
    return f"{way:g} s", *rates, f"{ratios.min():.2f}, {statistics.median(ratios):.2f}"


if __name__ == "__main__":
    typer.run(main)
