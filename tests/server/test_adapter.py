"""What every `model.py` shares, on a server with two models made for it: errors, callers who left, dtypes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc.aio as triton

from triptych.serving.embedded import EmbeddedServer

CONFIG = """
name: "adapted" backend: "python" max_batch_size: 8
input [ { name: "UTTERANCES" data_type: TYPE_STRING dims: [ -1 ] } ]
output [
  { name: "INPUT_IDS" data_type: TYPE_INT64 dims: [ -1 ] },
  { name: "ATTENTION_MASK" data_type: TYPE_INT64 dims: [ -1 ] }
]
instance_group [ { kind: KIND_CPU count: 1 } ]
dynamic_batching { preferred_batch_size: [ 3 ] max_queue_delay_microseconds: 5000000 }
"""
"""The tensors are those of the step `text_tokens`; three requests that come together are one execution."""

FIRST_CONFIG = """
name: "first" backend: "python" max_batch_size: 0
input [ { name: "VIDEO" data_type: TYPE_UINT8 dims: [ -1 ] } ]
output [
  { name: "CLIP" data_type: TYPE_FP32 dims: [ 6 ] },
  { name: "PLANNED_INDICES" data_type: TYPE_INT32 dims: [ -1 ] },
  { name: "PLANNED_TIMES" data_type: TYPE_FP32 dims: [ -1 ] }
]
instance_group [ { kind: KIND_CPU count: 1 } ]
"""
"""The tensors are those of the first step."""

ERRORS = """
from triptych.errors import ClipError, RequestError, TriptychError
from triptych.serving import adapter

ERRORS = {
    "clip": ClipError("the file is empty"),
    "request": RequestError("the parameter task is 'sing'"),
    "known": TriptychError("nothing was exported: run `triptych export`"),
    "unknown": KeyError("LOGITS"),
}
"""

FIRST = (
    ERRORS
    + """
class TritonPythonModel:
    def execute(self, requests):
        return adapter.each(requests, "media_probe", self.probe)

    def probe(self, video):
        raise ERRORS[video.tobytes().decode()]
"""
)

MODEL = (
    ERRORS
    + '''
import time
from pathlib import Path

import numpy as np

from triptych_client.contract import STEPS



def word_of(request):
    return adapter.read(request, STEPS["text_tokens"])["UTTERANCES"].ravel()[0].decode()


class TritonPythonModel:
    """Writes down what it computes; the word `wait` comes first, and waits until a request after it is cancelled."""

    def initialize(self, args):
        self.computed = Path(args["model_repository"]) / "computed.txt"

    def execute(self, requests):
        order = sorted(range(len(requests)), key=lambda place: word_of(requests[place]) != "wait")
        self.requests = [requests[place] for place in order]
        answers = adapter.each(self.requests, "text_tokens", self.tokens)
        return [answers[order.index(place)] for place in range(len(requests))]

    def tokens(self, utterances):
        word = utterances.ravel()[0].decode()
        with self.computed.open("a", encoding="utf-8") as file:
            file.write(word + "\\n")
        if word in ERRORS:
            raise ERRORS[word]
        deadline = time.monotonic() + 30
        while word == "wait" and not any(one.is_cancelled() for one in self.requests) and time.monotonic() < deadline:
            time.sleep(0.001)
        return {"INPUT_IDS": np.full((1, 2), len(word), np.int8), "ATTENTION_MASK": np.ones((1, 2), np.float64)}
'''
)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    for name, config, code in (("adapted", CONFIG, MODEL), ("first", FIRST_CONFIG, FIRST)):
        (root / name / "1").mkdir(parents=True)
        (root / name / "config.pbtxt").write_text(config, encoding="utf-8")
        (root / name / "1" / "model.py").write_text(code, encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def url(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with EmbeddedServer(repository, work=tmp_path_factory.mktemp("work")) as server:
        yield server.grpc_url


@pytest.fixture
def computed(repository: Path) -> Path:
    """The words that the model computed in this test."""
    path = repository / "adapted" / "computed.txt"
    path.write_text("", encoding="utf-8")
    return path


def asked(word: str) -> list[triton.InferInput]:
    tensor = triton.InferInput("UTTERANCES", [1, 1], "BYTES")
    tensor.set_data_from_numpy(np.array([[word.encode()]], dtype=object))
    return [tensor]


async def ask_together(url: str, words: tuple[str, str, str], outputs: list[str] | None = None) -> list:
    """Ask for three words in one batch; return each result or error."""
    wanted = [triton.InferRequestedOutput(name) for name in outputs] if outputs else None
    async with triton.InferenceServerClient(url) as client:
        calls = [client.infer("adapted", asked(word), outputs=wanted) for word in words]
        return await asyncio.gather(*calls, return_exceptions=True)


async def begun(computed: Path, word: str) -> None:
    """Return once the model computes a word."""
    while word not in computed.read_text(encoding="utf-8"):
        await asyncio.sleep(0.001)


async def test_outputs_have_the_dtypes_of_the_contract(url: str, computed: Path):
    results = await ask_together(url, ("one", "three", "five5"))
    assert [result.as_numpy("INPUT_IDS").tolist() for result in results] == [[[3, 3]], [[5, 5]], [[5, 5]]]
    assert {result.as_numpy(name).dtype for result in results for name in ("INPUT_IDS", "ATTENTION_MASK")} == {
        np.dtype(np.int64)
    }


async def test_only_what_is_asked_for_is_sent(url: str, computed: Path):
    result, *_ = await ask_together(url, ("one", "two", "three"), ["ATTENTION_MASK"])
    assert [output.name for output in result.get_response().outputs] == ["ATTENTION_MASK"]


@pytest.mark.parametrize(
    ("word", "status", "message"),
    [
        ("clip", "StatusCode.INVALID_ARGUMENT", "the file is empty"),
        ("request", "StatusCode.UNIMPLEMENTED", "the parameter task is 'sing'"),
        ("known", "StatusCode.INTERNAL", "media_probe: nothing was exported: run `triptych export`"),
        ("unknown", "StatusCode.INTERNAL", "media_probe: KeyError: 'LOGITS'"),
    ],
)
async def test_the_first_step_says_what_is_wrong(url: str, word: str, status: str, message: str):
    video = triton.InferInput("VIDEO", [len(word)], "UINT8")
    video.set_data_from_numpy(np.frombuffer(word.encode(), np.uint8))
    async with triton.InferenceServerClient(url) as client:
        with pytest.raises(triton.InferenceServerException) as bad:
            await client.infer("first", [video])
    assert (bad.value.status(), bad.value.message()) == (status, message)


@pytest.mark.parametrize("word", ["clip", "request", "known", "unknown"])
async def test_a_step_between_stands_in_for_what_it_cannot_compute_and_the_others_are_answered(
    url: str, computed: Path, word: str
):
    good, bad, also_good = await ask_together(url, ("one", word, "three"))
    assert [bad.as_numpy(name).tolist() for name in ("INPUT_IDS", "ATTENTION_MASK")] == [[[0]], [[0]]]
    assert [result.as_numpy("INPUT_IDS").tolist() for result in (good, also_good)] == [[[3, 3]], [[5, 5]]]


async def test_a_cancelled_request_is_not_computed_and_the_others_are(url: str, computed: Path):
    async with triton.InferenceServerClient(url) as client:
        calls = [asyncio.create_task(client.infer("adapted", asked(word))) for word in ("wait", "two", "three")]
        await asyncio.wait_for(begun(computed, "wait"), 30)
        calls[1].cancel()
        waited, cancelled, answered = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(cancelled, asyncio.CancelledError)
    assert waited.as_numpy("INPUT_IDS").tolist() == [[4, 4]]
    assert answered.as_numpy("INPUT_IDS").tolist() == [[5, 5]]
    assert sorted(computed.read_text(encoding="utf-8").split()) == ["three", "wait"]
