"""Published text classifiers. Wiring tests: the checkpoints are tiny and their weights random."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel, PreTrainedModel

from networks.class_order import ToEmotions
from networks.words import published, tokens
from networks.words.origin import HEAD
from samples.graphs import session_of
from samples.label_sets import CEDR, EKMAN, GOEMOTIONS
from samples.tiny_words import WORDS, save_classifier, save_tokenizer
from triptych.errors import TriptychError
from triptych.words import text
from triptych_client.contract import EMOTIONS

MULTI, SINGLE = "multi_label_classification", "single_label_classification"
CHECKPOINTS = {
    "RoBERTa, GoEmotions": ("roberta", GOEMOTIONS, MULTI),
    "XLM-RoBERTa, GoEmotions of one class": ("xlm-roberta", GOEMOTIONS, SINGLE),
    "BERT, CEDR": ("bert", CEDR, MULTI),
}
TEXTS = ["I am so glad", "What a day what a day what a day what a day what a day", "мне страшно", ""]


@pytest.fixture(scope="module", params=CHECKPOINTS.values(), ids=CHECKPOINTS.keys())
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    kind, labels, problem_type = request.param
    folder = tmp_path_factory.mktemp("checkpoint")
    model = save_classifier(folder, kind, list(labels), problem_type)
    return (
        model,
        ToEmotions(list(labels), problem_type == MULTI),
        folder,
        session_of(published.load(folder), "text_emotion"),
    )


@pytest.mark.parametrize("count", [1, 2, 4])
def test_parity_with_the_published_class(exported: tuple[PreTrainedModel, ToEmotions, Path, object], count: int):
    model, emotions, folder, graph = exported
    tokenizer = Tokenizer.from_str(str(tokens.of_checkpoint(folder)[tokens.FILE]))
    ids, mask = text.tokenize(tokenizer, TEXTS[:count], prefix="")
    logits, embedding = graph.run(["LOGITS", "EMBEDDING"], {"INPUT_IDS": ids, "ATTENTION_MASK": mask})
    with torch.inference_mode():
        whole = model(torch.from_numpy(ids), attention_mask=torch.from_numpy(mask)).logits
        expected = emotions(whole).numpy()
    assert logits.shape == (count, len(EMOTIONS))
    np.testing.assert_allclose(logits, expected, atol=1e-4)
    assert logits.std() > 0.01
    np.testing.assert_allclose(np.linalg.norm(embedding, axis=1), 1, atol=1e-5)


def test_texts_are_read_without_the_prefix_of_e5(exported: tuple[PreTrainedModel, ToEmotions, Path, object]):
    _, _, folder, _ = exported
    parts = tokens.of_checkpoint(folder)
    assert json.loads(str(parts["settings.json"])) == {"prefix": ""}
    ids, _ = text.tokenize(Tokenizer.from_str(str(parts[tokens.FILE])), ["i am"], prefix="")
    assert [WORDS[number] for number in ids[0, :4]] == ["<s>", "i", "am", "</s>"]


def test_an_encoder_without_a_head_is_refused(tmp_path: Path):
    BertModel(BertConfig(vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=2)).save_pretrained(
        tmp_path
    )
    with pytest.raises(TriptychError, match=r"lacks weights of BertForSequenceClassification \(classifier"):
        published.load(tmp_path)


def test_another_architecture_is_refused(tmp_path: Path):
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(TriptychError, match="is a gpt2: words take one of xlm-roberta, roberta, bert"):
        published.load(tmp_path)


def test_a_model_of_short_texts_is_refused(tmp_path: Path):
    save_classifier(tmp_path, "roberta", list(EKMAN), positions=100)
    with pytest.raises(TriptychError, match="reads 98 tokens; utterances have up to 128"):
        published.load(tmp_path)


def test_a_number_of_labels_that_is_not_that_of_the_weights_is_refused(tmp_path: Path):
    save_classifier(tmp_path, "roberta", list(GOEMOTIONS))
    config = json.loads((tmp_path / "config.json").read_text())
    names = {"id2label": dict(enumerate(EKMAN)), "label2id": {label: index for index, label in enumerate(EKMAN)}}
    (tmp_path / "config.json").write_text(json.dumps(config | names))
    with pytest.raises(TriptychError, match=r"classifier\.out_proj\.\w+ is \[28.* there and \[7.* here.*id2label"):
        published.load(tmp_path)


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path):
    save_classifier(tmp_path, "roberta", list(EKMAN))
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"vocab_size": 9}))
    with pytest.raises(TriptychError, match=f"has {len(WORDS)} tokens, and the model 9: it is another's"):
        tokens.load_published(tmp_path)


def test_a_damaged_tokenizer_is_named(tmp_path: Path):
    save_tokenizer(tmp_path)
    whole = (tmp_path / tokens.FILE).read_bytes()
    (tmp_path / tokens.FILE).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TriptychError, match=r"cannot read the tokenizer in .*Fetch it again"):
        tokens.load_published(tmp_path)


def test_the_vocabulary_of_an_older_bert_is_read(tmp_path: Path):
    pieces = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "glad", "##ly", "day")
    (tmp_path / "vocab.txt").write_text("\n".join(pieces) + "\n")
    config = BertConfig(vocab_size=len(pieces), hidden_size=8, num_hidden_layers=1, num_attention_heads=2)
    config.save_pretrained(tmp_path)
    tokenizer = tokens.load_published(tmp_path)
    ids, mask = text.tokenize(tokenizer, ["Gladly"], prefix="")
    assert [pieces[number] for number in ids[0][mask[0] == 1]] == ["[CLS]", "glad", "##ly", "[SEP]"]
    assert ids.shape[1] == text.LENGTH_STEP


def test_what_we_trained_is_not_taken_for_what_was_published(tmp_path: Path):
    save_classifier(tmp_path, "bert", list(EKMAN))
    (tmp_path / HEAD).write_bytes(b"")
    assert json.loads(str(tokens.of_checkpoint(tmp_path)["settings.json"])) == {"prefix": text.PREFIX}
