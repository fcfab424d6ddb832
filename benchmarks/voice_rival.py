"""wav2vec 2.0 base with random weights: what the published model costs, and nothing of what it knows."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2ForSequenceClassification
from transformers.utils import logging

from triptych_client.contract import EMOTIONS


def save_wav2vec2(folder: Path) -> Path:
    """Write a checkpoint of the size of facebook/wav2vec2-base (Baevski et al. 2020; the configuration's defaults)."""
    logging.disable_progress_bar()
    labels = dict(enumerate(EMOTIONS))
    config = Wav2Vec2Config(id2label=labels, label2id={name: index for index, name in labels.items()})
    torch.manual_seed(0)
    Wav2Vec2ForSequenceClassification(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return folder
