"""Does the 4-bit vocabulary cost anything? English <-> Russian retrieval, and the memory of the exported encoder.

python -m benchmarks.e5_retrieval
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime

from benchmarks.measure import publish, table
from export import catalog, fetch, onnx
from networks.words.e5 import Embedder
from triptych.paths import CACHE
from triptych.words.text import tokenize

PAIRS = (
    ("Call an ambulance, quickly!", "Вызовите скорую, быстрее!"),
    ("My cat sleeps on the windowsill.", "Мой кот спит на подоконнике."),
    ("The train leaves at seven in the morning.", "Поезд отправляется в семь утра."),
    ("I have lost my keys again.", "Я опять потерял ключи."),
    ("She won the chess tournament.", "Она выиграла шахматный турнир."),
    ("How awful! What is wrong with him?", "Какой ужас! Что это с ним?"),
    ("He left me, and he is still laughing.", "Он меня бросил и ещё смеётся."),
    ("Happy birthday, grandmother!", "С днём рождения, бабушка!"),
    ("The soup is too salty.", "Суп слишком солёный."),
    ("Do not shout at me in front of the children.", "Не кричи на меня при детях."),
    ("It has been raining for three days.", "Дождь идёт уже три дня."),
    ("I am afraid of flying.", "Я боюсь летать."),
    ("Where did you put the scissors?", "Куда ты положил ножницы?"),
    ("Our team lost in the last minute.", "Наша команда проиграла на последней минуте."),
    ("This milk has gone bad.", "Это молоко прокисло."),
    ("I cannot believe it is already Friday.", "Не могу поверить, что уже пятница."),
)

MEMORY_SCRIPT = """
import sys
import numpy, onnxruntime, psutil
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
for rows, length in ((1, 16), (8, 32), (64, 128)):
    ids = numpy.random.default_rng(0).integers(5, 250002, (rows, length))
    session.run(None, {"INPUT_IDS": ids, "ATTENTION_MASK": numpy.ones_like(ids)})
    print(psutil.Process().memory_info().rss >> 20)
"""


def main() -> None:
    """Embed both sides of the pairs with the graph of `e5-comparison` and with float32 PyTorch, and compare."""
    source = fetch.fetch(catalog.load()["multilingual-e5-small"], CACHE)
    with TemporaryDirectory() as folder:
        onnx.export(catalog.load()["e5-comparison"], [source], Path(folder))
        _compare(Embedder(source), Path(folder) / "model.onnx")


def _compare(embedder: Embedder, graph: Path) -> None:
    english, russian = zip(*PAIRS, strict=True)
    plain = [embedder.embed(side) for side in (english, russian)]
    served = [_served(embedder, graph, side) for side in (english, russian)]
    rows = [
        ("float32 vocabulary, PyTorch", *_quality(*plain)),
        ("4-bit vocabulary, exported graph", *_quality(*served)),
    ]
    text = table((f"{len(PAIRS)} pairs", "EN -> RU right", "RU -> EN right", "cosine above the next best"), rows)
    apart = max(np.abs(a - b).max() for a, b in zip(plain, served, strict=True))
    parts = [text, f"Largest difference of an embedding's component: {apart:.1e}.", _memory(graph)]
    publish("e5_retrieval", "python -m benchmarks.e5_retrieval", "\n\n".join(parts))


def _served(embedder: Embedder, graph: Path, texts: Sequence[str]) -> np.ndarray:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    ids, mask = tokenize(embedder.tokenizer, texts)
    (embedding,) = session.run(["EMBEDDING"], {"INPUT_IDS": ids, "ATTENTION_MASK": mask})
    return np.asarray(embedding)


def _quality(english: np.ndarray, russian: np.ndarray) -> tuple[str, str, str]:
    """Return how often the translation is nearest, in both directions, and by how much at least and on average."""
    cosines = english @ russian.T
    own = np.diag(cosines)
    next_best = np.where(np.eye(len(own), dtype=bool), -1, cosines).max(axis=1)
    right = [np.count_nonzero(cosines.argmax(axis=axis) == np.arange(len(own))) for axis in (1, 0)]
    margins = own - next_best
    return f"{right[0]}", f"{right[1]}", f"{margins.min():.4f} least, {margins.mean():.4f} mean"


def _memory(graph: Path) -> str:
    command = [sys.executable, "-c", MEMORY_SCRIPT, str(graph)]
    sizes = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return table(
        ("memory of a process that serves it, MiB (RSS)", "1 short text", "8 sentences", "64 texts of 128 tokens"),
        [("ONNX Runtime", *sizes)],
    )


if __name__ == "__main__":
    main()
