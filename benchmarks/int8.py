"""How many points of its task does a model lose when its products run in 8 bits, on a CPU?

python -m benchmarks.int8 --data DIR [--rows 1000]

DIR holds fer2013_train_val.npz and text/ as the recipes take them. ONNX Runtime's dynamic quantisation: weights of
MatMul and Gemm in 8 bits a channel, what goes in quantised as it comes. Faces: all validation pictures of FER2013 and
their labels. Texts: a sample of each corpus that training held out (split "dev"), of one emotion each. Both graphs
answer the same inputs; accuracy and macro-F1, of which the one that loses more counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import onnx
import onnxruntime as ort
import typer
from onnxruntime.quantization import QuantType, quantize_dynamic
from tokenizers import Tokenizer

from benchmarks.measure import MIB, publish, table
from benchmarks.served import Feeds, look
from training import metrics
from training.data import fer, text
from triptych.paths import MODEL_REPOSITORY
from triptych.serving import settings
from triptych.words import text as words
from triptych_client.contract import EMOTIONS

MOST_POINTS = 0.5
PRODUCTS = ["MatMul", "Gemm"]
BATCH = 64
CORPORA = {"goemotions": "GoEmotions, English", "cedr": "CEDR, Russian", "ru_goemotions": "GoEmotions in Russian"}


def main(
    data: Annotated[Path, typer.Option()], rows: Annotated[int, typer.Option(min=10)] = 1000, seed: int = 7
) -> None:
    """Quantise the exported models of face and words, and measure both forms of each."""
    lines = [*_faces(data), *_texts(data, rows, seed)]
    header = (f"loses at most {MOST_POINTS} points", "model", "inputs", "fp32", "int8", "points lost", "MiB")
    lines.sort(key=lambda line: line[0] == "yes")
    publish("int8", f"python -m benchmarks.int8 --data DIR --rows {rows}", table(header, lines))


def _faces(data: Path) -> Iterator[tuple[str, ...]]:
    _, validation = fer.load(data, 0.0)
    labels = validation.labels.numpy()
    images = validation.images.numpy()
    positions = np.stack([np.arange(len(images)), np.zeros(len(images), int)], axis=1)
    batches = [look(images[at : at + BATCH], positions[at : at + BATCH]) for at in range(0, len(images), BATCH)]
    yield _compared("expression", f"FER2013 validation, {len(images)} faces", batches, labels)


def _texts(data: Path, rows: int, seed: int) -> Iterator[tuple[str, ...]]:
    folder = MODEL_REPOSITORY / "text_tokens" / "1"
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    prefix = settings.read_text(folder, words.PREFIX_SETTING)
    held_out = text.load(data).of([text.DEV])
    for corpus, title in CORPORA.items():
        texts = held_out.of(corpora=[corpus])
        single = text.single_rows(texts.targets)
        sample = texts.choose(np.random.default_rng(seed).choice(single, min(rows, len(single)), replace=False))
        order = sorted(range(len(sample)), key=lambda row: len(sample.texts[row]))
        parts = [order[at : at + BATCH] for at in range(0, len(order), BATCH)]
        batches = [_tokens(tokenizer, [sample.texts[row] for row in part], prefix) for part in parts]
        labels = sample.targets.argmax(1)[order]
        yield _compared("text_emotion", f"{title}, {len(sample)} held-out texts", batches, labels)


def _tokens(tokenizer: Tokenizer, texts: list[str], prefix: str) -> Feeds:
    ids, mask = words.tokenize(tokenizer, texts, prefix)
    return {"INPUT_IDS": ids, "ATTENTION_MASK": mask}


def _compared(step: str, inputs: str, batches: list[Feeds], labels: np.ndarray) -> tuple[str, ...]:
    """Return a line of the table for the exported model of a step."""
    path = MODEL_REPOSITORY / step / "1" / "model.onnx"
    with TemporaryDirectory() as folder:
        small = Path(folder) / "model.onnx"
        model = onnx.load(path)
        del model.graph.value_info[:]  # the names of its axes are PyTorch's: ONNX's inference takes them for other ones
        quantize_dynamic(model, small, op_types_to_quantize=PRODUCTS, per_channel=True, weight_type=QuantType.QInt8)
        found = [_answers(file, batches) for file in (path, small)]
        sizes = " to ".join(f"{file.stat().st_size / MIB:.1f}" for file in (path, small))
    accuracies = [100 * float((logits.argmax(1) == labels).mean()) for logits in found]
    scores = [100 * metrics.macro_f1(labels, logits.argmax(1)) for logits in found]
    lost = max(accuracies[0] - accuracies[1], scores[0] - scores[1])
    cells = [f"{accuracy:.2f} %, {score:.2f}" for accuracy, score in zip(accuracies, scores)]
    return "yes" if lost <= MOST_POINTS else "**no**", step, inputs, *cells, f"{lost:+.2f}", sizes


def _answers(path: Path, batches: list[Feeds]) -> np.ndarray:
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = {node.name for node in session.get_inputs()}
    found = [session.run(["LOGITS"], {name: feeds[name] for name in names})[0] for feeds in batches]
    return np.concatenate([np.asarray(logits) for logits in found]).reshape(-1, len(EMOTIONS))


if __name__ == "__main__":
    typer.run(main)
