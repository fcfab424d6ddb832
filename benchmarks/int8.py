"""How many points of its task does a model lose when its products run in 8 bits, on a CPU, and how much faster is it?

python -m benchmarks.int8 --data DIR [--rows 1000] [--clips 200] [--only text_emotion]

DIR holds fer2013_train_val.npz, text/, speech/ and asr/ as the recipes take them. ONNX Runtime's dynamic quantisation:
weights of MatMul and Gemm in 8 bits a channel, what goes in quantised as it comes; once with all 8 bits, and once with
weights of 7, since processors without VNNI add two products in 16 bits and overflow. Faces: all validation pictures of
FER2013. Texts: a sample of each corpus that training held out (split "dev"), of one emotion each. Voices: EMOVO and
ASED, which nothing was trained on. Of accuracy and macro-F1 (recall, for voices) the one that loses more counts. Words:
recordings of asr/, and of nEMO, which is Polish, heard by Whisper; a word more in a thousand is 0.1 points.
"""

from __future__ import annotations

import csv
import logging
import shutil
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import jiwer
import numpy as np
import onnx
import onnxruntime as ort
import typer
from onnxruntime.quantization import QuantType, quantize_dynamic
from tokenizers import Tokenizer
from transformers.models.whisper.english_normalizer import BasicTextNormalizer

from benchmarks.measure import MIB, interleave, publish, table
from benchmarks.served import Feeds, look
from export.gates.inputs import log_mels
from training import metrics
from training.data import fer, speech, text
from training.data.spoken import Spoken
from triptych.paths import MODEL_REPOSITORY
from triptych.resources import cores
from triptych.serving import settings
from triptych.sound import mel
from triptych.words import text as words
from triptych.words.whisper.decoding import DecodingOptions
from triptych.words.whisper.model import Running
from triptych.words.whisper.recogniser import Recogniser
from triptych_client.contract import EMOTIONS, SAMPLE_RATE_HZ

MOST_POINTS, MOST_WORDS = 0.5, 0.1
"""Points that may be lost: of a classifier's task, and of the word error rate."""
PRODUCTS = ["MatMul", "Gemm"]
BATCH = 64
REPEATS = 3
CORPORA = {"goemotions": "GoEmotions, English", "cedr": "CEDR, Russian", "ru_goemotions": "GoEmotions in Russian"}
VOICES = ("emovo", "ased")
POLISH = "speech/nemo"
POLISH_CLIPS = 40
FORMS = {"int8": False, "int8, weights of 7 bits": True}
"""The name of a quantised form, and whether a bit is left out."""
HEADER = ("within", "model", "inputs", "form", "measured", "points lost", "answers changed", "MiB", "ms")

Line = tuple[str, ...]


def main(
    data: Annotated[Path, typer.Option()],
    rows: Annotated[int, typer.Option(min=10, help="Texts of each corpus.")] = 1000,
    clips: Annotated[int, typer.Option(min=10, help="Clips of each corpus of voices.")] = 200,
    only: Annotated[list[str] | None, typer.Option(help="This step only.")] = None,
    seed: int = 7,
) -> None:
    """Quantise the exported models of faces, words and voice, and Whisper, and measure the forms of each."""
    measured: dict[str, Callable[[], Iterator[Line]]] = {
        "text_emotion": partial(_texts, data, rows, seed),
        "expression": partial(_faces, data),
        "voice_emotion": partial(_voices, data, clips, seed),
        "whisper": partial(_words, data, seed),
    }
    logging.getLogger().setLevel(logging.ERROR)  # of each graph, quantisation warns that others are simplified first
    lines = []
    for step in only or measured:
        for line in measured[step]():
            print(" | ".join(line), flush=True)
            lines.append(line)
    lines.sort(key=lambda line: line[0] == "yes")
    steps = "".join(f" --only {step}" for step in only or ())
    publish("int8", f"python -m benchmarks.int8 --data DIR --rows {rows} --clips {clips}{steps}", table(HEADER, lines))


def _faces(data: Path) -> Iterator[Line]:
    _, validation = fer.load(data, 0.0)
    images, labels = validation.images.numpy(), validation.labels.numpy()
    positions = np.stack([np.arange(len(images)), np.zeros(len(images), int)], axis=1)
    batches = [look(images[at : at + BATCH], positions[at : at + BATCH]) for at in range(0, len(images), BATCH)]
    yield from _classified("expression", f"FER2013 validation, {len(images)} faces", batches, labels)


def _texts(data: Path, rows: int, seed: int) -> Iterator[Line]:
    folder = MODEL_REPOSITORY / "text_tokens" / "1"
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    prefix = settings.read_text(folder, words.PREFIX_SETTING)
    held_out = text.load(data).of([text.DEV])
    for corpus, title in CORPORA.items():
        texts = held_out.of(corpora=[corpus])
        sample = texts.choose(_sample(text.single_rows(texts.targets), rows, seed))
        order = sorted(range(len(sample)), key=lambda row: len(sample.texts[row]))
        parts = [order[at : at + BATCH] for at in range(0, len(order), BATCH)]
        tokens = [words.tokenize(tokenizer, [sample.texts[row] for row in part], prefix) for part in parts]
        batches = [{"INPUT_IDS": ids, "ATTENTION_MASK": mask} for ids, mask in tokens]
        labels = sample.targets.argmax(1)[order]
        yield from _classified("text_emotion", f"{title}, {len(sample)} held-out texts", batches, labels)


def _voices(data: Path, most: int, seed: int) -> Iterator[Line]:
    cut = Spoken(MODEL_REPOSITORY).cut
    compute = mel.FEATURES[settings.read_text(MODEL_REPOSITORY / "voice_features" / "1", "features")]
    for corpus in VOICES:
        clips = list(speech.recordings(data, [corpus]))
        sample = [clips[number] for number in _sample(np.arange(len(clips)), most, seed)]
        batches = [{"FEATURES": np.stack([compute(window) for window in cut(clip.pcm)[1].pcm])} for clip in sample]
        labels = np.array([clip.label for clip in sample])
        yield from _classified("voice_emotion", f"{corpus}, {len(sample)} clips", batches, labels, a_row_each=True)


def _classified(
    step: str, inputs: str, batches: Sequence[Feeds], labels: np.ndarray, a_row_each: bool = False
) -> Iterator[Line]:
    """Yield the lines of a classifier. `a_row_each`: a batch is one thing, told by the mean over its rows."""
    path = MODEL_REPOSITORY / step / "1" / "model.onnx"
    logits = _logits(path, batches, a_row_each)
    for form, reduced in FORMS.items():
        with _quantised([path], reduced) as (small,):
            other = _logits(small, batches, a_row_each)
            cells = [_scores(labels, found, a_row_each) for found in (logits, other)]
            lost = max(before - after for before, after in zip(*cells, strict=True))
            changed = float((logits.argmax(1) != other.argmax(1)).mean())
            told = " to ".join("{:.2f} %, {:.2f}".format(*pair) for pair in cells)
            times = interleave(REPEATS, *(partial(_run, _session(file), batches[0]) for file in (path, small)))
            speed = " to ".join(f"{1000 * time.least:.1f}" for time in times)
            yield _line(step, inputs, form, told, lost, MOST_POINTS, f"{changed:.1%}", _sizes([path], [small]), speed)


def _scores(labels: np.ndarray, logits: np.ndarray, recall: bool) -> tuple[float, float]:
    said = logits.argmax(1)
    second = metrics.balanced_accuracy if recall else metrics.macro_f1
    return 100 * float((said == labels).mean()), 100 * second(labels, said)


def _logits(path: Path, batches: Sequence[Feeds], a_row_each: bool) -> np.ndarray:
    session = _session(path)
    found = [_run(session, feeds).reshape(-1, len(EMOTIONS)) for feeds in batches]
    return np.stack([rows.mean(0) for rows in found]) if a_row_each else np.concatenate(found)


def _run(session: ort.InferenceSession, feeds: Feeds) -> np.ndarray:
    names = [node.name for node in session.get_inputs()]
    return np.asarray(session.run(["LOGITS"], {name: feeds[name] for name in names})[0])


def _session(path: Path) -> ort.InferenceSession:
    return ort.InferenceSession(path, providers=["CPUExecutionProvider"])


@dataclass(frozen=True)
class _Said:
    """A recording: its sound, and what was said, in words that can be counted."""

    log_mel: np.ndarray
    seconds: float
    words: str


def _words(data: Path, seed: int) -> Iterator[Line]:
    folder = MODEL_REPOSITORY / "whisper" / "1"
    graphs = [folder / "encoder.onnx", folder / "decoder.onnx"]
    heard = {"asr/": list(_asr(data)), f"nEMO, Polish, {POLISH_CLIPS} clips": list(_polish(data, seed))}
    plain = Recogniser(folder, Running(cores()))
    exact = {inputs: [_transcribe(plain, one) for one in said] for inputs, said in heard.items()}
    for form, reduced in FORMS.items():
        with _quantised(graphs, reduced) as small:
            for name in ("generation.json", "tokenizer.json"):
                shutil.copyfile(folder / name, small[0].parent / name)
            quick = Recogniser(small[0].parent, Running(cores()))
            for inputs, said in heard.items():
                texts = [exact[inputs], [_transcribe(quick, one) for one in said]]
                rates = [100 * jiwer.wer([one.words for one in said], list(found)) for found in texts]
                changed = np.mean([one != other for one, other in zip(*texts, strict=True)])
                told = " to ".join(f"{rate:.2f} % of words wrong" for rate in rates)
                times = interleave(REPEATS, *(partial(_transcribe, one, said[0]) for one in (plain, quick)))
                speed = " to ".join(f"{1000 * time.least:.0f}" for time in times)
                lost = rates[1] - rates[0]
                yield _line(
                    "whisper", inputs, form, told, lost, MOST_WORDS, f"{changed:.1%}", _sizes(graphs, small), speed
                )


def _transcribe(recogniser: Recogniser, said: _Said) -> str:
    pieces = np.array([[[0, said.seconds]]])
    (found,) = recogniser.transcribe(said.log_mel[None], pieces, [DecodingOptions()])
    return BasicTextNormalizer()(" ".join(segment.text for segment in found.segments))


def _asr(data: Path) -> Iterator[_Said]:
    with (data / "asr" / "manifest.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield _said((data / "asr" / row["file"]).read_bytes(), row["transcript"])


def _polish(data: Path, seed: int) -> Iterator[_Said]:
    with (data / f"{POLISH}_labels.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with tarfile.open(data / f"{POLISH}_opus16.tar") as archive:
        members = {Path(member.name).name: member for member in archive if member.isfile()}
        for number in _sample(np.arange(len(rows)), POLISH_CLIPS, seed):
            content = archive.extractfile(members[rows[number]["file"]])
            assert content is not None
            yield _said(content.read(), rows[number]["transcript"])


def _said(file: bytes, transcript: str) -> _Said:
    pcm = speech.decode(file)
    log_mel = log_mels(pcm[None], mel.WHISPER_N_MELS)[0]
    return _Said(log_mel, len(pcm) / SAMPLE_RATE_HZ, BasicTextNormalizer()(transcript))


@contextmanager
def _quantised(paths: Sequence[Path], reduced: bool) -> Iterator[list[Path]]:
    """Write the graphs in 8 bits into a folder of their own, under their names."""
    with TemporaryDirectory() as folder:
        for path in paths:
            model = onnx.load(path)
            del model.graph.value_info[:]  # the names of its axes are PyTorch's: ONNX takes them for other ones
            quantize_dynamic(
                model,
                Path(folder) / path.name,
                op_types_to_quantize=PRODUCTS,
                per_channel=True,
                reduce_range=reduced,
                weight_type=QuantType.QInt8,
            )
        yield [Path(folder) / path.name for path in paths]


def _sizes(exact: Sequence[Path], small: Sequence[Path]) -> str:
    return " to ".join(f"{sum(path.stat().st_size for path in paths) / MIB:.1f}" for paths in (exact, small))


def _line(
    step: str, inputs: str, form: str, told: str, lost: float, most: float, changed: str, size: str, speed: str
) -> Line:
    return ("yes" if lost <= most else "**no**", step, inputs, form, told, f"{lost:+.2f}", changed, size, speed)


def _sample(numbers: np.ndarray, most: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).choice(numbers, min(most, len(numbers)), replace=False)


if __name__ == "__main__":
    typer.run(main)
