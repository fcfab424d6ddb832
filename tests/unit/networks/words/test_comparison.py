"""The words graphs, trained and by comparison: parity with PyTorch on float32 token embeddings, languages, emotions."""

import subprocess
import sys

import numpy as np
import onnxruntime
import pytest
import torch
from tokenizers import Tokenizer

from networks.words import adapters
from networks.words import comparison as text_emotion
from networks.words import trained as trained_words
from samples.graphs import session_of
from triptych.words import text
from triptych_client.contract import EMOTIONS

PAIRS = (
    ("Call an ambulance, quickly!", "Вызовите скорую, быстрее!"),
    ("My cat sleeps on the windowsill.", "Мой кот спит на подоконнике."),
    ("The train leaves at seven in the morning.", "Поезд отправляется в семь утра."),
    ("I have lost my keys again.", "Я опять потерял ключи."),
    ("She won the chess tournament.", "Она выиграла шахматный турнир."),
)


MEMORY_SCRIPT = """
import sys, numpy, onnxruntime, psutil
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
ids = numpy.full((8, 32), 5)
session.run(None, {"INPUT_IDS": ids, "ATTENTION_MASK": numpy.ones_like(ids)})
print(psutil.Process().memory_info().rss >> 20)
"""


@pytest.fixture(scope="module")
def tokenizer(repository):
    return Tokenizer.from_file(str(repository / "text_tokens" / "1" / "tokenizer.json"))


@pytest.fixture(scope="module")
def session(repository):
    path = repository / "text_emotion" / "1" / "model.onnx"
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def comparison(weights):
    return session_of(text_emotion.TextEmotion.load(weights("multilingual-e5-small")), "text_emotion")


def run(session, ids, mask):
    return session.run(["LOGITS", "EMBEDDING"], {"INPUT_IDS": ids, "ATTENTION_MASK": mask})


def probabilities(session, tokenizer, sentence):
    logits, _ = run(session, *text.tokenize(tokenizer, [sentence]))
    return dict(zip(EMOTIONS, np.exp(logits[0]) / np.exp(logits[0]).sum(), strict=True))


def test_parity_of_the_trained_model_with_pytorch(session, tokenizer, weights):
    trained = weights("xlm-roberta") / adapters.FILE
    check_parity(session, trained_words.build(weights("multilingual-e5-small"), trained), tokenizer)


def test_parity_of_the_comparison_with_pytorch(comparison, tokenizer, weights):
    check_parity(comparison, text_emotion.build(weights("multilingual-e5-small")), tokenizer)


def check_parity(session, model, tokenizer):
    for texts in (["Hi."], [sentence for pair in PAIRS for sentence in pair], [], ["a long sentence " * 60, "short"]):
        ids, mask = text.tokenize(tokenizer, texts)
        with torch.inference_mode():
            logits, embedding = model(torch.from_numpy(ids), torch.from_numpy(mask))
        served = run(session, ids, mask)
        assert served[0].shape == (len(ids), 7)
        np.testing.assert_allclose(served[1], embedding.numpy(), atol=1e-5)
        np.testing.assert_allclose(served[0], logits.numpy(), atol=1e-4)


def test_padding_changes_nothing(session, tokenizer):
    ids, mask = text.tokenize(tokenizer, ["Какой ужас!"])
    padded = [np.pad(array, ((0, 0), (0, 48)), constant_values=fill) for array, fill in ((ids, 1), (mask, 0))]
    for plain, wide in zip(run(session, ids, mask), run(session, *padded), strict=True):
        np.testing.assert_allclose(plain, wide, atol=1e-4)


def test_a_sentence_is_nearest_to_its_translation(comparison, tokenizer):
    english, russian = (run(comparison, *text.tokenize(tokenizer, list(side)))[1] for side in zip(*PAIRS, strict=True))
    assert (english @ russian.T).argmax(axis=1).tolist() == list(range(len(PAIRS)))


@pytest.mark.parametrize(
    ("sentence", "emotion"),
    [
        ("I could not stop crying after the funeral.", "sadness"),
        ("Get lost, you make me so mad!", "anger"),
        ("We won, this is the best day of my life!", "happiness"),
        ("Someone is following me and I am terrified.", "fear"),
        ("The bus stops in front of the library.", "neutral"),
        ("Он меня бросил, и я всю ночь плакала.", "sadness"),
        ("Мы победили, это лучший день в моей жизни!", "happiness"),
        ("За мной кто-то идёт, мне очень страшно.", "fear"),
    ],
)
def test_plain_cases_get_their_emotion_without_being_certain(session, tokenizer, sentence, emotion):
    found = probabilities(session, tokenizer, sentence)
    assert max(found, key=found.get) == emotion
    assert found[emotion] < 0.99


def test_a_process_that_serves_it_stays_below_350_mib(repository):
    command = [sys.executable, "-c", MEMORY_SCRIPT, str(repository / "text_emotion" / "1" / "model.onnx")]
    assert int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) < 350
