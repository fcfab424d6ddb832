"""Does the exported Whisper hear what transformers hears, and how many words does it get wrong, on real recordings?

python -m benchmarks.whisper_wer --data DIR

DIR holds asr/manifest.csv (columns file, lang, transcript, duration) and the recordings that it names. Both decode the
same log-mels greedily with timestamps, in the language that the served model tells.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path

import jiwer
import numpy as np
import torch
from transformers import WhisperFeatureExtractor
from transformers.models.whisper.english_normalizer import BasicTextNormalizer, EnglishTextNormalizer
from transformers.utils import logging

from benchmarks.measure import publish, table
from export import catalog, fetch
from networks.whisper import published
from triptych.media import audio
from triptych.paths import CACHE, MODEL_REPOSITORY
from triptych.words.whisper.decoding import DecodingOptions
from triptych.words.whisper.model import Running
from triptych.words.whisper.recogniser import Recogniser
from triptych_client.contract import SAMPLE_RATE_HZ

MAX_SECONDS = 30.0
NORMALIZERS = {"en": EnglishTextNormalizer({})}
"""Of the paper; spellings are left as they are. Other languages: `BasicTextNormalizer`."""


@dataclass(frozen=True)
class Transcribed:
    """One recording: what was said, and what each of both made of it, normalised for counting words."""

    file: str
    language: str
    said: str
    ours: str
    theirs: str
    same_tokens: bool


def main() -> None:
    """Publish the word error rates, and on how many recordings the tokens are the same."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    folder = parser.parse_args().data / "asr"
    logging.set_verbosity_error()
    model = published.read(fetch.fetch(catalog.load()["whisper-base"], CACHE)).model
    recogniser = Recogniser(MODEL_REPOSITORY / "whisper" / "1", Running(torch.get_num_threads()))
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        heard = [hear(folder / line["file"], line, model, recogniser) for line in csv.DictReader(file)]
    lines = [
        (
            item.file,
            item.language,
            percent([item], "ours"),
            percent([item], "theirs"),
            "yes" if item.same_tokens else "no",
        )
        for item in heard
    ]
    same = f"{sum(item.same_tokens for item in heard)} of {len(heard)}"
    lines.append(("all", "", percent(heard, "ours"), percent(heard, "theirs"), same))
    header = ("recording", "language told", "WER, served", "WER, transformers", "same tokens")
    publish("whisper_wer", "python -m benchmarks.whisper_wer --data DIR", table(header, lines))


def hear(path: Path, line: dict[str, str], model, recogniser: Recogniser) -> Transcribed:
    """Decode one recording with both."""
    pcm = audio.decode(path.read_bytes(), MAX_SECONDS).pcm
    log_mel = WhisperFeatureExtractor()(pcm, sampling_rate=SAMPLE_RATE_HZ, return_tensors="np").input_features
    (ours,) = recogniser.transcribe(log_mel, np.array([[[0, len(pcm) / SAMPLE_RATE_HZ]]]), [DecodingOptions()])
    theirs = model.generate(
        torch.from_numpy(log_mel), return_timestamps=True, task="transcribe", language=ours.language
    )[0].tolist()
    normalize = NORMALIZERS.get(line["lang"], BasicTextNormalizer())
    return Transcribed(
        path.name,
        ours.language,
        normalize(line["transcript"]),
        normalize(" ".join(utterance.text for utterance in ours.segments)),
        normalize(recogniser.tokenizer.decode(theirs)),
        theirs == list(ours.tokens),
    )


def percent(heard: list[Transcribed], whose: str) -> str:
    """Return the word error rate over recordings, of "ours" or "theirs"."""
    rate = jiwer.wer([item.said for item in heard], [getattr(item, whose) for item in heard])
    return f"{100 * rate:.1f} %"


if __name__ == "__main__":
    main()
