"""Transformers as they are published in the slots of the voice, the tagger and the words, on the embedded server.

Wiring tests: the checkpoints are tiny and their weights random.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as triton

from samples.label_sets import GOEMOTIONS
from samples.swapping import assert_serves_its_graph, swapped
from samples.tiny_audio import TAGS, save_ast, save_wav2vec2
from samples.tiny_words import WORDS, save_classifier
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
    """A repository with the three transformers, its server, and the answer to the demo clip."""

    repository: Path
    server: EmbeddedServer
    answer: Analysis


@pytest.fixture(scope="module")
def served(repository: Path, demo_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    wav2vec2, ast, words = (tmp_path_factory.mktemp(name) for name in ("wav2vec2", "ast", "words"))
    save_wav2vec2(wav2vec2)
    save_ast(ast)
    save_classifier(words, "roberta", list(GOEMOTIONS), "multi_label_classification")
    choices = {"voice": "wav2vec2", "tags": "ast", "words": "xlm-roberta-checkpoint"}
    sources = {"voice": f"dir:{wav2vec2}", "tags": f"dir:{ast}", "words": f"dir:{words}"}
    with swapped(repository, choices, sources) as folder, EmbeddedServer(folder) as server:
        with Client(server.grpc_url) as client:
            answer = client.analyze(demo_clip)
        yield Served(folder, server, answer)


def test_the_ensemble_answers_with_them(served: Served):
    answer = served.answer
    assert {channel.status for channel in answer.channels.values()} == {"ok"}
    assert answer.models["voice"].name == "wav2vec2"
    assert answer.models["words"].name == "xlm-roberta-checkpoint"
    assert answer.models["audio_tags"].name == "ast"
    assert answer.models["sound"].name == "ast-tag-comparison"
    assert {tag.label for tag in answer.audio_tags} <= set(TAGS)
    assert answer.audio_tags


def test_the_words_are_read_as_they_are_said(served: Served):
    said = np.array([["i am so glad"]], dtype=object)
    asked = triton.InferInput("UTTERANCES", said.shape, "BYTES")
    asked.set_data_from_numpy(said)
    with triton.InferenceServerClient(served.server.grpc_url) as client:
        answer = client.infer("text_tokens", [asked])
    ids, mask = answer.as_numpy("INPUT_IDS"), answer.as_numpy("ATTENTION_MASK")
    assert [WORDS[number] for number in ids[mask == 1]] == ["<s>", "i", "am", "so", "glad", "</s>"]
    assert_serves_its_graph(
        served.server.grpc_url, served.repository, "text_emotion", "LOGITS", INPUT_IDS=ids, ATTENTION_MASK=mask
    )


def test_the_voice_hears_waveforms(served: Served):
    heard = RANDOM.normal(0, 0.1, (3, 1, VOICE_SAMPLES)).astype(np.float32)
    assert_serves_its_graph(served.server.grpc_url, served.repository, "voice_emotion", "LOGITS", FEATURES=heard)


def test_the_tagger_hears_filter_banks(served: Served):
    heard = np.stack([mel.fbank(RANDOM.normal(0, level, mel.FBANK_SAMPLES)) for level in (0.1, 0.01)])
    assert_serves_its_graph(served.server.grpc_url, served.repository, "sound_tagger", "TAGS", FEATURES=heard)
