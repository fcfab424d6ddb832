"""Programs that recognise speech with the same weights, each in a process of its own, and how fast and right they are.

`python -m benchmarks.peers.hearing ENGINE THREADS` is such a process: lines of JSON come in, {"pcm": FILE, "language":
"en"}, and go out, {"text": .., "seconds": ..}. Each imports what it runs, and nothing of the others.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import numpy as np
from tokenizers import Tokenizer

from benchmarks.peers import environment
from export import catalog, fetch
from triptych.paths import CACHE, MODEL_REPOSITORY
from triptych_client.contract import CHUNK_SAMPLES, SAMPLE_RATE_HZ

Hear = Callable[[np.ndarray, str], str]
"""Takes sound FP32 [samples] of at most 30 s, 16 kHz, and its language; returns the text."""
TIMES_FROM, VOCABULARY = 50_364, 51_865
"""The token of 0 s, and how many tokens there are, in multilingual models before large-v3."""
SILENCE_S = 5.0
"""So much silence after the sound Triptych's Whisper hears in the way that does not fill 30 s."""


def served(threads: int, silence_s: float) -> Hear:
    """Return the served Whisper; `silence_s` is how much silence its encoder hears after the sound."""
    from benchmarks.in_process import features
    from triptych.words.whisper.decoding import DecodingOptions
    from triptych.words.whisper.model import Running
    from triptych.words.whisper.recogniser import Recogniser

    log_mel = features("whisper_features", MODEL_REPOSITORY / "whisper_features" / "1", threads)
    recogniser = Recogniser(MODEL_REPOSITORY / "whisper" / "1", Running(threads, silence_s=silence_s))

    def hear(pcm: np.ndarray, language: str) -> str:
        chunks = np.pad(pcm, (0, CHUNK_SAMPLES - len(pcm)))[None]
        pieces = np.array([[[0.0, len(pcm) / SAMPLE_RATE_HZ]]], np.float32)
        options = [DecodingOptions(language=language)]
        (found,) = recogniser.transcribe(log_mel({"CHUNKS": chunks})["LOG_MEL"], pieces, options)
        return " ".join(segment.text for segment in found.segments)

    return hear


def faster_whisper(threads: int, precision: str) -> Hear:
    """Return faster-whisper, greedy, without its fallbacks; it pads to 30 s."""
    from faster_whisper import WhisperModel

    with tempfile.TemporaryDirectory() as folder:
        lay_out(fetch.fetch(catalog.load()["whisper-base"], CACHE), Path(folder))
        model = WhisperModel(folder, device="cpu", compute_type=precision, cpu_threads=threads)

    def hear(pcm: np.ndarray, language: str) -> str:
        segments, _ = model.transcribe(
            pcm, language=language, beam_size=1, temperature=0.0, condition_on_previous_text=False
        )
        return " ".join(segment.text for segment in segments)

    return hear


def lay_out(source: Path, target: Path) -> None:
    """Link CTranslate2's files into a folder, and write the list of tokens that the package leaves out.

    CTranslate2 refuses one that is not as long as the model's vocabulary: the times, which end it, are named here.
    """
    for file in source.iterdir():
        (target / file.name).symlink_to(file.resolve())
    names = {number: token for token, number in Tokenizer.from_file(str(source / "tokenizer.json")).get_vocab().items()}
    tokens = [names.get(number, f"<|{(number - TIMES_FROM) * 0.02:.2f}|>") for number in range(VOCABULARY)]
    (target / "vocabulary.json").write_text(json.dumps(tokens), encoding="utf-8")


def openai_whisper(threads: int) -> Hear:
    """Return openai-whisper, greedy, in float32, with the weights that are served; it pads to 30 s."""
    import torch

    from benchmarks.whisper_rivals import openai, text_of
    from networks.whisper import published

    torch.set_num_threads(threads)
    folder = fetch.fetch(catalog.load()["whisper-base"], CACHE)
    whisper = published.read(folder)
    rival = openai(whisper)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return lambda pcm, language: text_of(rival(pcm, language), whisper, tokenizer)


ENGINES: dict[str, Callable[[int], Hear]] = {
    "Triptych, padded to 30 s": lambda threads: served(threads, 30.0),
    f"Triptych, the sound and {SILENCE_S:g} s": lambda threads: served(threads, SILENCE_S),
    "faster-whisper int8": lambda threads: faster_whisper(threads, "int8"),
    "faster-whisper fp32": lambda threads: faster_whisper(threads, "float32"),
    "openai-whisper fp32": openai_whisper,
}
OURS, HELD_AGAINST = "Triptych, padded to 30 s", "faster-whisper int8"


@dataclass(frozen=True)
class Recording:
    """Sound FP32 [samples], 16 kHz, its language, and what is said in it."""

    pcm: np.ndarray
    language: str
    said: str


@dataclass
class Heard:
    """What an engine came to: its texts by recording, and seconds [repeats, recordings]."""

    name: str
    texts: list[str]
    seconds: list[list[float]] = field(default_factory=list)


class Engine:
    """An engine in a process of its own; a context manager."""

    def __init__(self, python: Path, name: str, threads: int) -> None:
        self.name = name
        self._command = [str(python), "-m", "benchmarks.peers.hearing", name, str(threads)]

    def hear(self, path: Path, language: str) -> tuple[str, float]:
        """Return the text of a file of samples, and the seconds that it took."""
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps({"pcm": str(path), "language": language}), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended: {self._errors.read_text(encoding='utf-8')[-1000:]}")
        told = json.loads(line)
        return told["text"], told["seconds"]

    def __enter__(self) -> Engine:
        self._errors = Path(tempfile.mkstemp(prefix="triptych-hearing-")[1])
        with self._errors.open("w") as errors:
            self._process = subprocess.Popen(
                self._command,
                env=environment.variables(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()  # the end of its input ends it
        self._errors.unlink()


def compete(engines: Sequence[Engine], recordings: Sequence[Recording], repeats: int) -> list[Heard]:
    """Let every engine hear every recording, in turn, so often, after once for nothing."""
    heard = [Heard(engine.name, []) for engine in engines]
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{number}.npy") for number in range(len(recordings))]
        for path, recording in zip(paths, recordings):
            np.save(path, recording.pcm)
        for repeat in range(repeats + 1):
            taken: list[list[float]] = [[] for _ in engines]
            for path, recording in zip(paths, recordings):
                for engine, one, seconds in zip(engines, heard, taken):
                    text, spent_s = engine.hear(path, recording.language)
                    seconds.append(spent_s)
                    if repeat == 0:
                        one.texts.append(text)
            for one, seconds in zip(heard, taken):
                one.seconds += [seconds] if repeat else []
    return heard


def _serve(name: str, threads: int) -> None:
    """Answer the lines that come in, until they end."""
    answers, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no answer
    hear = ENGINES[name](threads)
    for line in sys.stdin:
        asked = json.loads(line)
        pcm = np.load(asked["pcm"])
        began = time.perf_counter()
        text = hear(pcm, asked["language"])
        print(json.dumps({"text": text, "seconds": time.perf_counter() - began}), file=answers, flush=True)


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]))
