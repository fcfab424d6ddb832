"""The words channel that `triptych train words` made: an encoder with its adapters merged, and the head."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn
from transformers import BertModel, RobertaModel, XLMRobertaModel

from networks import pretrained
from networks.words import adapters, e5
from networks.words.comparison import PackedEmbedding
from networks.words.graph import TextGraph
from networks.words.origin import HEAD, is_ours
from triptych.errors import TriptychError

Encoder = XLMRobertaModel | RobertaModel | BertModel
"""Encoders whose layers carry the same names."""
KINDS: dict[str, type[Encoder]] = {"xlm-roberta": XLMRobertaModel, "roberta": RobertaModel, "bert": BertModel}
"""`model_type` of a checkpoint's config.json, and the encoder that it is read as."""
ENCODER = "multilingual-e5-small"


class TrainedWords(TextGraph):
    """The served graph: INPUT_IDS, ATTENTION_MASK int64 [n, length] -> LOGITS [n, 7], EMBEDDING [n, d].

    The embedding is the mean of the tokens' last states, of length 1; the head is linear in that mean.
    """

    def __init__(self, encoder: Encoder, head: nn.Linear) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head

    @classmethod
    def load(cls, trained: Path, encoder: Path) -> TrainedWords:
        """Read the folder of what was trained and multilingual-e5-small's; the vocabulary stays in 4 bits.

        No adapter touches it.
        """
        model = build(encoder, trained / adapters.FILE)
        model.encoder.set_input_embeddings(PackedEmbedding(e5.load_packed_vocabulary(encoder)))
        return model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and unit embeddings."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mean = e5.mean_states(hidden, attention_mask)
        return self.head(mean), nn.functional.normalize(mean, dim=-1)


def build(source: Path, trained: Path) -> TrainedWords:
    """Return the float32 model with plain token embeddings, of the encoder's folder and the trained file."""
    words = adapters.load(trained)
    encoder = e5.load_encoder(source)
    words.merge(encoder)
    return TrainedWords(encoder, words.head()).eval()


def load_checkpoint(folder: Path) -> TrainedWords:
    """Return the model of a folder that `triptych train words --init` made; TriptychError when it is another's."""
    if not is_ours(folder):
        raise TriptychError(f"there is no {HEAD} in {folder}: fine-tune the encoder by `triptych train words --init`")
    encoder = pretrained.load(encoder_class(folder), folder, add_pooling_layer=False)
    return TrainedWords(encoder, adapters.load(folder / HEAD).head()).eval()


def encoder_class(folder: Path) -> type[Encoder]:
    """Return what a checkpoint's encoder is read as; TriptychError when it is none that the words channel takes."""
    return pretrained.one_of(KINDS, folder, "words")
