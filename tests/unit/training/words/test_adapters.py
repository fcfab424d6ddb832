"""The words channel's training: batches, adapters and their merging, calibration, a published encoder's wiring."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from scipy.special import expit, softmax
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, XLMRobertaConfig, XLMRobertaModel

from networks.words import adapters as words_weights
from networks.words import tokens, trained
from networks.words.adapters import Words
from samples import text_corpora
from samples.graphs import session_of
from training import metrics
from training.calibration import fit_vector_scaling
from training.data.text import Texts
from training.words import adapters, multilabel, report
from training.words import batches as words_batches
from training.words import encoder as words_encoder
from training.words.model import Lower, Upper, trained_tensors
from triptych.errors import TriptychError
from triptych.words import text
from triptych_client.contract import EMOTIONS, STEPS

SIZES = {"hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 32}
WORDS = ("<s>", "<pad>", "</s>", "<unk>", *text_corpora.EKMAN, "train", "dev", "ru", "no_emotion", "query", ":")


def tiny(kind: str = "xlm-roberta") -> XLMRobertaModel | BertModel:
    """A random encoder, for wiring."""
    torch.manual_seed(0)
    sizes = SIZES | {"vocab_size": len(WORDS), "pad_token_id": 1, "max_position_embeddings": 140}
    if kind == "bert":
        return BertModel(BertConfig(**sizes), add_pooling_layer=False).eval()
    return XLMRobertaModel(XLMRobertaConfig(**sizes), add_pooling_layer=False).eval()


def tiny_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.enable_padding(pad_id=1, pad_token="<pad>", pad_to_multiple_of=16)
    tokenizer.enable_truncation(128)
    return tokenizer


def trained_upper(encoder: XLMRobertaModel | BertModel) -> Upper:
    """The trained part with adapters that do something: their second matrices start as 0."""
    upper = Upper(encoder).eval()
    with torch.no_grad():
        for parameter in upper.parameters():
            if parameter.requires_grad:
                parameter.normal_(std=0.2)
    return upper


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    return words_batches.pad([torch.tensor([0, 5, 6, 7, 2]), torch.tensor([0, 8, 2])], 1)


def test_tokens_are_those_that_are_served() -> None:
    tokenizer, texts = tiny_tokenizer(), ["joy dev", "anger " * 200]
    ids, mask = text.tokenize(tokenizer, texts)
    served = [row[kept == 1].tolist() for row, kept in zip(ids, mask)]
    assert [row.tolist() for row in words_batches.token_ids(tokenizer, texts, text.MAX_TOKENS)] == served
    cut = words_batches.token_ids(tokenizer, texts)
    assert cut[0].tolist() == served[0]
    assert len(cut[1]) == words_batches.MAX_TOKENS
    assert cut[1][-1] == 2


def test_states_are_kept_and_the_same_in_any_batch(tmp_path: Path) -> None:
    lower = Lower(tiny()).eval()
    ids = [torch.tensor([0, *range(4, 4 + n % 7), 2]) for n in range(40)]
    states = words_batches.States(lower, ids, 1, tmp_path)
    together, mask = states.batch(np.array([6, 1]))
    assert mask.sum(1).tolist() == [8, 3]
    with torch.inference_mode():
        torch.testing.assert_close(together[1, :3], lower(ids[1][None], torch.ones(1, 3))[0], rtol=0, atol=2e-3)
    (file,) = tmp_path.iterdir()
    written = file.stat().st_mtime_ns
    again, _ = words_batches.States(lower, ids, 1, tmp_path).batch(np.array([6, 1]))
    assert torch.equal(again, together)
    assert file.stat().st_mtime_ns == written


def test_lower_and_upper_are_the_encoder_once_merged() -> None:
    for kind in ("xlm-roberta", "bert"):
        encoder = tiny(kind)
        plain = copy.deepcopy(encoder)
        upper = trained_upper(encoder)
        ids, mask = batch()
        with torch.inference_mode():
            expected = upper(Lower(encoder)(ids, mask), mask)
            kept = Words(trained_tensors(upper, encoder))
            kept.merge(plain)
            logits, embedding = trained.TrainedWords(plain, kept.head()).eval()(ids, mask)
        torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5)
        torch.testing.assert_close(embedding.norm(dim=1), torch.ones(2))


def test_merging_is_what_peft_does() -> None:
    encoder = tiny()
    wrapped = get_peft_model(copy.deepcopy(encoder), LoraConfig(r=4, lora_alpha=8, target_modules=["query"]))
    tensors = {"head.weight": torch.zeros(7, 16), "head.bias": torch.zeros(7)}
    for number, layer in enumerate(wrapped.base_model.model.encoder.layer):
        query = layer.attention.self.query
        torch.nn.init.normal_(query.lora_B["default"].weight)
        name = f"encoder.layer.{number}.attention.self.query"
        tensors[name + ".lora_A"] = query.lora_A["default"].weight.detach()
        tensors[name + ".lora_B"] = query.lora_B["default"].weight.detach() * query.scaling["default"]
    Words(tensors).merge(encoder)
    merged = wrapped.merge_and_unload().state_dict()
    for name, value in encoder.state_dict().items():
        torch.testing.assert_close(value, merged[name])


def test_adapters_of_another_encoder_are_refused() -> None:
    encoder = tiny()
    kept = Words(trained_tensors(trained_upper(encoder), encoder))
    wider = XLMRobertaModel(XLMRobertaConfig(**SIZES | {"hidden_size": 24, "vocab_size": 20}))
    with pytest.raises(TriptychError, match="adapters do not fit this encoder"):
        kept.merge(wider)


def test_file_keeps_everything_in_half_precision(tmp_path: Path) -> None:
    encoder = tiny()
    tensors = {name: value.half() for name, value in trained_tensors(trained_upper(encoder), encoder).items()}
    kept = Words(tensors, {"cedr": (0.5, None, 0.1, 0.2, 0.3, 0.4, 0.6)}, scale=(2.0,) * 7, offset=(1.0,) * 7)
    words_weights.save(kept, tmp_path / "model.safetensors")
    loaded = words_weights.load(tmp_path / "model.safetensors")
    assert loaded.thresholds == kept.thresholds
    assert loaded.tensors.keys() == tensors.keys()
    for name, value in tensors.items():
        torch.testing.assert_close(loaded.tensors[name], value, rtol=0, atol=0)
    mean = torch.randn(3, 16)
    torch.testing.assert_close(loaded.head()(mean), 2 * Words(tensors).head()(mean) + 1)
    with pytest.raises(TriptychError, match="there are no trained weights"):
        words_weights.load(tmp_path / "other.safetensors")


def test_a_pass_holds_most_of_a_rare_emotion_and_a_part_of_a_frequent_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words_batches, "FULLEST_CLASS", 200)
    labels = np.array([3] * 900 + [1] * 100)
    corpora, words_of = np.full(1000, "c"), ("a",) * 1000
    chance = words_batches.chances(Texts(words_of, np.eye(7, dtype=np.float32)[labels], corpora, corpora, corpora))
    assert torch.allclose(chance[-100:], torch.ones(100, dtype=torch.float64))
    lengths = np.random.default_rng(0).integers(3, 40, 1000)
    epochs = [list(words_batches.epoch_rows(chance, lengths, epoch, seed=0)) for epoch in range(words_batches.PARTS)]
    assert {len(batches) for batches in epochs} == {words_batches.batches_in_part(chance)}
    rows = np.concatenate([row for batches in epochs for row in batches])
    assert len(np.unique(rows)) == len(rows)
    rare, frequent = (np.isin(part, rows).mean() for part in (np.arange(900, 1000), np.arange(900)))
    assert rare > 2.5 * frequent
    again = list(words_batches.epoch_rows(chance, lengths, 0, seed=0))
    assert [rows.tolist() for rows in again] == [rows.tolist() for rows in epochs[0]]


def test_best_thresholds_are_those_of_highest_f1() -> None:
    targets, scores = np.zeros((4, 7), np.float32), np.tile(np.array([[0.9], [0.8], [0.3], [0.2]]), 7)
    targets[:2, 0] = 1
    thresholds = multilabel.best_thresholds(targets, scores)
    assert thresholds[0] == pytest.approx(0.55)
    assert np.isnan(thresholds[1:]).all()
    assert multilabel.macro_f1(targets, scores, thresholds) == 1
    assert [(row.emotion, row.f1) for row in multilabel.per_label(targets, scores, thresholds)] == [("anger", 1)]


def test_macro_f1_agrees_with_its_table() -> None:
    random = np.random.default_rng(0)
    targets, scores = (random.random((300, 7)) < 0.2).astype(np.float32), random.random((300, 7))
    limits = np.full(7, 0.5)
    interval = multilabel.macro_f1_interval(targets, scores, limits)
    table = multilabel.per_label(targets, scores, limits)
    assert interval.value == pytest.approx(np.mean([row.f1 for row in table]))
    assert interval.low < interval.value < interval.high


def test_vector_scaling_finds_what_was_done_to_the_logits() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(size=(20_000, 7)) * 2
    scale, offset = np.linspace(0.5, 1.5, 7), np.linspace(-1, 1, 7)
    labels = np.array([random.choice(7, p=row) for row in softmax(scale * logits + offset, axis=1)])
    found_scale, found_offset = fit_vector_scaling(labels, logits)
    np.testing.assert_allclose(found_scale, scale, atol=0.1)
    np.testing.assert_allclose(found_offset, offset, atol=0.1)


def test_thresholds_are_of_each_corpus_and_of_validation_only() -> None:
    logits = np.tile(np.array([[2.0], [-2.0], [0.0]], np.float32), (2, 7))
    targets = np.tile(np.array([[1.0], [0.0], [1.0]], np.float32), (2, 7))
    targets[3:, EMOTIONS.index("disgust")] = 0
    corpora = np.array(["goemotions"] * 3 + ["cedr"] * 3)
    splits = np.array(["validation", "validation", "dev"] * 2)
    found = report.fit_thresholds(Texts(("a",) * 6, targets, corpora, corpora, splits), logits)
    assert found["cedr"][EMOTIONS.index("disgust")] is None
    assert found["goemotions"][0] == pytest.approx((expit(2) + expit(-2)) / 2, abs=1e-4)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, and a tiny random BERT with its tokenizer, for wiring."""
    folder = tmp_path_factory.mktemp("wiring")
    text_corpora.write_all(folder / "data")
    text_corpora.write_spoken(folder / "data")
    tiny("bert").save_pretrained(folder / "bert")
    tiny_tokenizer().save(str(folder / "bert" / "tokenizer.json"))
    return folder


def run(recipe: Callable[..., None], folder: Path, out: Path) -> Path:
    """Run a whole training of two short epochs."""
    settings = replace(adapters.SETTINGS, epochs=2, learning_rate=0.01)
    with pytest.MonkeyPatch.context() as patch:
        for module in (metrics, multilabel):
            patch.setattr(module, "RESAMPLES", 20)
        recipe(folder / "data", out, f"dir:{folder / 'bert'}", settings)
    return out


@pytest.fixture(scope="module")
def wiring(encoder: Path) -> Path:
    """A run of the whole training from a tiny random BERT, for wiring."""
    return run(adapters.train_words, encoder, encoder / "out").parent


def test_wiring_of_words_of_speech(encoder: Path) -> None:
    out = run(adapters.train_spoken, encoder, encoder / "spoken")
    card = (out / "README.md").read_text(encoding="utf-8")
    for part in (
        "DailyDialog, English",
        "XED, subtitles, Russian",
        "non-commercial use",
        "DIR --spoken --init dir:PATH",
    ):
        assert part in card
    thresholds = words_weights.load(out / words_weights.FILE).thresholds
    assert {"goemotions", "cedr", "dailydialog", "empathetic", "xed_en", "xed_ru"} == thresholds.keys()


def test_a_corpus_has_an_offset_of_its_own_and_their_mean_is_served() -> None:
    upper = Upper(tiny(), 3).eval()
    with torch.no_grad():
        upper.offsets.copy_(torch.arange(3.0)[:, None] * torch.ones(7))
    states, mask = torch.randn(2, 4, 16), torch.ones(2, 4)
    with torch.inference_mode():
        plain, mine = upper(states, mask), upper(states, mask, torch.tensor([0, 2]))
    torch.testing.assert_close(mine - plain, torch.tensor([[-1.0] * 7, [1.0] * 7]))


def test_wiring_of_a_published_encoder(wiring: Path) -> None:
    tokenizer = Tokenizer.from_str(str(tokens.of_checkpoint(wiring / "out" / "model")[tokens.FILE]))
    model = trained.load_checkpoint(wiring / "out" / "model")
    session = session_of(model, "text_emotion")
    for sentences in (["joy dev"], ["anger", "fear train 3 " * 9, "ru"]):
        ids, mask = text.tokenize(tokenizer, sentences)
        with torch.inference_mode():
            expected = model(torch.from_numpy(ids), torch.from_numpy(mask))
        names = [tensor.name for tensor in STEPS["text_emotion"].outputs[:2]]
        served = session.run(names, {"INPUT_IDS": ids, "ATTENTION_MASK": mask})
        for value, wanted in zip(served, expected):
            np.testing.assert_allclose(value, wanted.numpy(), atol=1e-4)


def test_wiring_writes_a_card_with_every_table(wiring: Path) -> None:
    card = (wiring / "out" / "README.md").read_text(encoding="utf-8")
    for part in ("GoEmotions, English", "CEDR, Russian", "translated to Russian", "vector scaling", "--init dir:PATH"):
        assert part in card
    assert str(wiring) not in card
    assert (wiring / "out" / "losses.png").exists()
    assert not list((wiring / "out").glob("*.npy"))
    assert words_weights.load(wiring / "out" / "model.safetensors").thresholds.keys() == {"goemotions", "cedr"}


def test_an_encoder_without_our_head_is_refused(wiring: Path) -> None:
    with pytest.raises(TriptychError, match=r"no words\.safetensors .*triptych train words --init"):
        trained.load_checkpoint(wiring / "bert")


@pytest.mark.parametrize(
    ("config", "message"),
    [('{"model_type": "gpt2"}', "is a gpt2: words take one of"), ("{", r"cannot read config\.json")],
)
def test_another_kind_of_checkpoint_is_refused(tmp_path: Path, config: str, message: str) -> None:
    (tmp_path / "config.json").write_text(config, encoding="utf-8")
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(TriptychError, match=message):
        words_encoder.start(f"dir:{tmp_path}")


def test_a_checkpoint_without_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TriptychError, match=r"no tokenizer\.json in"):
        tokens.load_published(tmp_path)
