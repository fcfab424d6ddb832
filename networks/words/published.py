"""The step `text_emotion` from a text classifier of transformers, as it was published: its own head, its own classes.

For any `ForSequenceClassification` of BERT (Devlin et al. 2019), RoBERTa (Liu et al. 2019, arXiv:1907.11692) or
XLM-RoBERTa (Conneau et al. 2020, arXiv:1911.02116), of any size, whose labels name emotions: 27 of GoEmotions and
neutral, Ekman's, CEDR's (`networks.emotion_names`).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import (
    BertForSequenceClassification,
    RobertaForSequenceClassification,
    XLMRobertaForSequenceClassification,
)

from networks import pretrained
from networks.class_order import to_emotions
from networks.words import trained
from networks.words.graph import TextGraph
from networks.words.origin import is_ours
from triptych.errors import TriptychError
from triptych.words.text import MAX_TOKENS

Classifier = XLMRobertaForSequenceClassification | RobertaForSequenceClassification | BertForSequenceClassification
KINDS: dict[str, type[Classifier]] = {
    "xlm-roberta": XLMRobertaForSequenceClassification,
    "roberta": RobertaForSequenceClassification,
    "bert": BertForSequenceClassification,
}
"""`model_type` of a checkpoint's config.json, and the classifier that it is read as."""


class PublishedWords(TextGraph):
    """The served graph: INPUT_IDS, ATTENTION_MASK int64 [n, length] -> LOGITS [n, 7], EMBEDDING [n, d].

    The embedding is what the checkpoint's last layer classifies, made to length 1.
    """

    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.encoder = model.base_model
        self.head = model.classifier
        self.emotions = to_emotions(model.config)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and unit embeddings."""
        outputs = self.encoder(input_ids=input_ids, attention_mask=attention_mask)
        if isinstance(self.head, nn.Linear):  # BERT: the pooler is part of the encoder
            pooled, classify = outputs.pooler_output, self.head
        else:  # RobertaClassificationHead
            pooled, classify = torch.tanh(self.head.dense(outputs.last_hidden_state[:, 0])), self.head.out_proj
        return self.emotions(classify(pooled)), nn.functional.normalize(pooled, dim=-1)


def load(folder: Path) -> TextGraph:
    """Return the model of a checkpoint: with the head of `triptych train words --init` where one is, else its own.

    TriptychError when it is of another architecture, has no head, or its classes or its length do not fit.
    """
    if is_ours(folder):
        return trained.load_checkpoint(folder)
    model = pretrained.load(pretrained.one_of(KINDS, folder, "words"), folder)
    _check_length(model, folder)
    return PublishedWords(model)


def _check_length(model: Classifier, folder: Path) -> None:
    """TriptychError when texts of MAX_TOKENS are too long for it; RoBERTa's positions begin behind the padding's."""
    config = model.config
    unused = 0 if isinstance(model, BertForSequenceClassification) else (config.pad_token_id or 0) + 1
    if config.max_position_embeddings - unused < MAX_TOKENS:
        raise TriptychError(
            f"the checkpoint in {folder} reads {config.max_position_embeddings - unused} tokens; utterances have up to "
            f"{MAX_TOKENS}"
        )
