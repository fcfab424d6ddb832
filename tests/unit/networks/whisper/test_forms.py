"""Whisper in each form in which it is published. Wiring tests: but for base, the models are tiny and random."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from export import onnx
from networks.served import Parts
from networks.whisper import checkpoint, openai, published, vocabulary
from networks.whisper.loaded import MULTILINGUAL_TOKENS, Whisper
from samples.whisper_models import ENGLISH_TOKENS, V3_TOKENS, save_file, save_folder, tiny
from triptych.errors import RequestError, TriptychError
from triptych.words.whisper.decoding import DecodingOptions
from triptych.words.whisper.model import Running
from triptych.words.whisper.recogniser import Recogniser
from triptych_client.contract import STEPS

TOKENS = 20
"""So many of a random model's tokens are compared: then it repeats itself."""
SAID = ("The sea was calm - nobody spoke.", " «Никто» не говорил...", "12:30, O'Neill's 日本語 \n\n  ok", "naïve 🙂")


@pytest.fixture(scope="module")
def vocabularies(weights) -> Path:
    return weights("whisper-vocabularies")


@pytest.fixture(scope="module")
def base(weights) -> Whisper:
    return published.read(weights("whisper-base"))


def vocabulary_of(vocabularies: Path, tokens: int) -> Tokenizer:
    return vocabulary.load(vocabularies, tokens)


def recogniser_of(parts: Parts, folder: Path) -> Recogniser:
    onnx.write(parts, STEPS["whisper"], folder)
    return Recogniser(folder, Running(threads=1))


def test_a_file_of_openai_is_the_same_model(base: Whisper, vocabularies: Path, tmp_path: Path):
    """Base as OpenAI publishes it: the same tensors, rules and tokens, so the same text."""
    save_file(base.model, tmp_path / "base.pt")
    read = openai.read(tmp_path / "base.pt", vocabularies)
    state = read.model.state_dict()
    assert state.keys() == base.model.state_dict().keys()
    assert all(torch.equal(state[name], tensor) for name, tensor in base.model.state_dict().items())
    assert {**read.rules, "suppress": set(read.rules["suppress"])} == {
        **base.rules,
        "suppress": set(base.rules["suppress"]),
    }
    ours, theirs = (Tokenizer.from_str(whisper.tokenizer) for whisper in (read, base))
    for text in SAID:
        ids = theirs.encode(text, add_special_tokens=False).ids
        assert ours.encode(text, add_special_tokens=False).ids == ids
        assert ours.decode(ids) == theirs.decode(ids)


@pytest.mark.parametrize(("tokens", "n_mels"), [(ENGLISH_TOKENS, 80), (V3_TOKENS, 128)], ids=["en", "v3"])
def test_what_is_served_decodes_as_transformers(vocabularies: Path, tmp_path: Path, tokens: int, n_mels: int):
    """The form that is neither is base's, whose tokens tests/unit/triptych/words/whisper/test_parity.py compares."""
    model = tiny(tokens, n_mels)
    save_folder(model, vocabulary_of(vocabularies, tokens), tmp_path)
    log_mel = np.random.default_rng(0).normal(0, 0.5, (2, n_mels, 3000)).astype(np.float32)
    asked = {} if tokens == ENGLISH_TOKENS else {"language": "en", "task": "transcribe"}
    expected = model.generate(
        torch.from_numpy(log_mel),
        return_timestamps=True,
        max_new_tokens=TOKENS,
        force_unique_generate_call=True,
        **asked,
    )[:, -TOKENS:].tolist()
    parts = checkpoint.load_v3(tmp_path) if n_mels == 128 else checkpoint.load(tmp_path)
    recogniser = recogniser_of(parts, tmp_path)
    found = recogniser.decode(log_mel, [DecodingOptions(language="en")] * 2)
    assert [list(one.tokens[:TOKENS]) for one in found if one] == expected
    assert [one.language for one in found if one] == ["en", "en"]
    if tokens == ENGLISH_TOKENS:
        assert recogniser.options({"language": "en"}) == DecodingOptions("transcribe", "en")
        for unknown in ({"task": "translate"}, {"language": "ru"}):
            with pytest.raises(RequestError, match="it can be"):
                recogniser.options(unknown)


@pytest.mark.parametrize(("tokens", "n_mels"), [(ENGLISH_TOKENS, 80), (V3_TOKENS, 128)], ids=["en", "v3"])
def test_a_file_is_the_same_as_a_folder(vocabularies: Path, tmp_path: Path, tokens: int, n_mels: int):
    model = tiny(tokens, n_mels)
    save_folder(model, vocabulary_of(vocabularies, tokens), tmp_path)
    save_file(model, tmp_path / "tiny.pt")
    folder, file = checkpoint.read(tmp_path), openai.read(tmp_path / "tiny.pt", vocabularies)
    assert file.rules == folder.rules
    assert Tokenizer.from_str(file.tokenizer).get_vocab() == Tokenizer.from_str(folder.tokenizer).get_vocab()
    state = folder.model.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in file.model.state_dict().items())


def test_languages_of_v3(vocabularies: Path):
    multilingual, v3 = (vocabulary_of(vocabularies, tokens).get_vocab() for tokens in (MULTILINGUAL_TOKENS, V3_TOKENS))
    assert "<|yue|>" in v3.keys() - multilingual.keys()
    assert v3["<|notimestamps|>"] == multilingual["<|notimestamps|>"] + 1 == 50364


def test_weights_that_are_no_half_floats_stay_as_they_are(vocabularies: Path, tmp_path: Path):
    """The random weights of the tiny models are not: what is embedded is what was trained."""
    save_folder(tiny(ENGLISH_TOKENS, 80), vocabulary_of(vocabularies, ENGLISH_TOKENS), tmp_path)
    assert checkpoint.load(tmp_path)["decoder.onnx"].embedding.dtype is torch.float32


def test_another_number_of_mel_bands_is_refused(vocabularies: Path, tmp_path: Path):
    save_folder(tiny(V3_TOKENS, 128), vocabulary_of(vocabularies, V3_TOKENS), tmp_path)
    with pytest.raises(TriptychError, match="hears 128 mel bands, and the catalogue's entry gives it 80"):
        checkpoint.load(tmp_path)


def test_a_folder_without_a_tokenizer_is_refused(vocabularies: Path, tmp_path: Path):
    save_folder(tiny(ENGLISH_TOKENS, 80), vocabulary_of(vocabularies, ENGLISH_TOKENS), tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(TriptychError, match="there is no tokenizer"):
        checkpoint.load(tmp_path)


@pytest.mark.parametrize("damage", ["cut short", "another pickle", "other dimensions", "a size that nobody published"])
def test_a_file_that_is_none_of_openai_is_refused(vocabularies: Path, tmp_path: Path, damage: str):
    path = tmp_path / "tiny.pt"
    save_file(tiny(ENGLISH_TOKENS, 80), path)
    content = torch.load(path)
    if damage == "cut short":
        path.write_bytes(path.read_bytes()[:-5000])
    elif damage == "another pickle":
        torch.save({"state_dict": {}}, path)
    elif damage == "other dimensions":
        torch.save({**content, "dims": {**content["dims"], "n_audio_state": 64}}, path)
    else:
        torch.save({**content, "dims": {**content["dims"], "n_vocab": 40000}}, path)
    words = {
        "cut short": "cannot read .* may be cut short",
        "another pickle": "is no checkpoint of openai-whisper",
        "other dimensions": "not of the dimensions that it says",
        "a size that nobody published": "none of the vocabularies",
    }
    with pytest.raises(TriptychError, match=words[damage]):
        openai.read(path, vocabularies)
