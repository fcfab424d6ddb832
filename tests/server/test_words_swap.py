"""Another words model in the same slot: the ensemble runs unchanged, on the embedded server."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer

from export import catalog
from samples.swapping import assert_serves_its_graph, swapped
from triptych.serving.embedded import EmbeddedServer
from triptych.words import text
from triptych_client import Client

pytestmark = pytest.mark.server

OTHERS = [entry.name for entry in catalog.fitting("text_emotion") if entry.weights and not entry.default]
"""Models that this project trained, but for the default: the other server tests have that."""
TEXTS = ["I am so happy for you!", "Get out of here, I hate you."]


@pytest.mark.parametrize("entry", OTHERS)
def test_the_ensemble_answers_with_it(entry: str, repository: Path, short_clip: Path) -> None:
    with swapped(repository, {"words": entry}) as folder, EmbeddedServer(folder) as server:
        tokenizer = Tokenizer.from_file(str(folder / "text_tokens" / "1" / "tokenizer.json"))
        ids, mask = text.tokenize(tokenizer, TEXTS)
        logits = assert_serves_its_graph(
            server.grpc_url, folder, "text_emotion", "LOGITS", INPUT_IDS=ids, ATTENTION_MASK=mask
        )
        with Client(server.grpc_url) as client:
            answer = client.analyze(short_clip)
    assert logits.argmax(1).tolist() == [3, 0]
    assert answer.models["words"].name == entry
    assert answer.channels["words"].status == "ok"
    assert len(answer.transcript.utterances) > 0
