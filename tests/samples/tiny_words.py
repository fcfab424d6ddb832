"""Tiny text classifiers with random weights, in the form of published checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, PreTrainedModel, RobertaConfig, XLMRobertaConfig

from networks.words.published import KINDS

WORDS = ("<s>", "<pad>", "</s>", "<unk>", "query", ":", "i", "am", "so", "glad", "what", "a", "day", "мне", "страшно")
CONFIGS = {"xlm-roberta": XLMRobertaConfig, "roberta": RobertaConfig, "bert": BertConfig}


def save_classifier(
    folder: Path, kind: str, labels: Sequence[str], problem_type: str | None = None, positions: int = 140
) -> PreTrainedModel:
    """Write a checkpoint with these classes and its tokenizer."""
    torch.manual_seed(0)
    config = CONFIGS[kind](
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=positions,
        pad_token_id=1,
        id2label=dict(enumerate(labels)),
        label2id={label: index for index, label in enumerate(labels)},
        problem_type=problem_type,
        initializer_range=0.5,  # so that random logits differ
    )
    model = KINDS[kind](config).eval()
    model.save_pretrained(folder)
    save_tokenizer(folder)
    return model


def save_tokenizer(folder: Path) -> None:
    """Write a tokenizer of whole words, as tokenizer.json."""
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
