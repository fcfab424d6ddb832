"""Audio transformers in the voice's and the tagger's slot, on the embedded server.

Wiring tests: the checkpoints are tiny and their weights random.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from samples.swapping import assert_serves_its_graph, swapped
from samples.tiny_audio import TAGS, save_ast, save_wav2vec2
from triptych.serving.embedded import EmbeddedServer
from triptych.sound import mel
from triptych_client import Analysis, Client
from triptych_client.contract import VOICE_SAMPLES

pytestmark = [
    pytest.mark.server,
    pytest.mark.filterwarnings("ignore:At least one mel filter has all zero values"),
]
RANDOM = np.random.default_rng(0)


@dataclass(frozen=True)
class Served:
    """A repository with both transformers, its server, and the answer to the demo clip."""

    repository: Path
    server: EmbeddedServer
    answer: Analysis


@pytest.fixture(scope="module")
def served(repository: Path, demo_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    wav2vec2, ast = tmp_path_factory.mktemp("wav2vec2"), tmp_path_factory.mktemp("ast")
    save_wav2vec2(wav2vec2)
    save_ast(ast)
    choices = {"voice": "wav2vec2", "tags": "ast"}
    sources = {"voice": f"dir:{wav2vec2}", "tags": f"dir:{ast}"}
    with swapped(repository, choices, sources) as folder, EmbeddedServer(folder) as server:
        with Client(server.grpc_url) as client:
            answer = client.analyze(demo_clip)
        yield Served(folder, server, answer)


def test_the_ensemble_answers_with_them(served: Served):
    answer = served.answer
    assert {channel.status for channel in answer.channels.values()} == {"ok"}
    assert answer.models["voice"].name == "wav2vec2"
    assert answer.models["audio_tags"].name == "ast"
    assert answer.models["sound"].name == "ast-tag-comparison"
    assert {tag.label for tag in answer.audio_tags} <= set(TAGS)
    assert answer.audio_tags


def test_the_voice_hears_waveforms(served: Served):
    heard = RANDOM.normal(0, 0.1, (3, 1, VOICE_SAMPLES)).astype(np.float32)
    assert_serves_its_graph(served.server.grpc_url, served.repository, "voice_emotion", "LOGITS", FEATURES=heard)


def test_the_tagger_hears_filter_banks(served: Served):
    heard = np.stack([mel.fbank(RANDOM.normal(0, level, mel.FBANK_SAMPLES)) for level in (0.1, 0.01)])
    assert_serves_its_graph(served.server.grpc_url, served.repository, "sound_tagger", "TAGS", FEATURES=heard)
