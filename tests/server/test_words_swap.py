"""Another words model in the same slot: the ensemble runs unchanged, on the embedded server."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import tritonclient.grpc as triton
from tokenizers import Tokenizer

from export import catalog, runner
from triptych import text
from triptych.server import CACHE, ROOT, EmbeddedServer
from triptych_client import Client

pytestmark = pytest.mark.server

OTHERS = [entry.name for entry in catalog.fitting("text_emotion") if entry.weights and not entry.default]
"""Models that this project trained, but for the default: the other server tests have that."""
TEXTS = ["I am so happy for you!", "Get out of here, I hate you."]


def link_or_copy(source: str, target: str) -> None:
    """Large files are only read: a second name will do."""
    if os.path.getsize(source) > 1 << 20:
        os.link(source, target)
    else:
        shutil.copy2(source, target)


@pytest.fixture
def swapped(repository: Path):
    """Return a function that copies the repository with another words model; the copies are gone at the end."""
    folder = ROOT / "build" / "tests" / "words"

    def swap(entry: str) -> Path:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(repository, folder, copy_function=link_or_copy)
        runner.export(folder, CACHE, {"words": entry}, report=lambda name, what: None)
        return folder

    yield swap
    shutil.rmtree(folder, ignore_errors=True)


def ask(url: str, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return LOGITS of the served step."""
    inputs = [triton.InferInput(name, ids.shape, "INT64") for name in ("INPUT_IDS", "ATTENTION_MASK")]
    for tensor, array in zip(inputs, (ids, mask)):
        tensor.set_data_from_numpy(array)
    with triton.InferenceServerClient(url) as client:
        logits = client.infer("text_emotion", inputs).as_numpy("LOGITS")
    assert logits is not None
    return logits


@pytest.mark.parametrize("entry", OTHERS)
def test_the_ensemble_answers_with_it(entry: str, swapped, demo_clip: Path) -> None:
    folder = swapped(entry)
    tokenizer = Tokenizer.from_file(str(folder / "text_tokens" / "1" / "tokenizer.json"))
    ids, mask = text.tokenize(tokenizer, TEXTS)
    session = onnxruntime.InferenceSession(folder / "text_emotion" / "1" / "model.onnx")
    (expected,) = session.run(["LOGITS"], {"INPUT_IDS": ids, "ATTENTION_MASK": mask})
    with EmbeddedServer(folder) as server, Client(server.grpc_url) as client:
        answer = client.analyze(demo_clip)
        np.testing.assert_allclose(ask(server.grpc_url, ids, mask), expected, atol=1e-4)
    assert answer.models["words"].name == entry
    assert answer.channels["words"].status == "ok"
    assert len(answer.transcript.utterances) > 0
    assert expected.argmax(1).tolist() == [3, 0]
