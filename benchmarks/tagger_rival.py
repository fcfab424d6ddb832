"""AST base with random weights: what the published model costs, and nothing of what it knows."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import ASTConfig, ASTFeatureExtractor, ASTForAudioClassification
from transformers.utils import logging

AUDIOSET_CLASSES = 527


def save_ast(folder: Path) -> Path:
    """Write a checkpoint of the size of MIT/ast-finetuned-audioset-10-10-0.4593 (the configuration's defaults)."""
    logging.disable_progress_bar()
    names = {index: f"class {index}" for index in range(AUDIOSET_CLASSES)}
    torch.manual_seed(0)
    ASTForAudioClassification(ASTConfig(id2label=names)).save_pretrained(folder)
    ASTFeatureExtractor().save_pretrained(folder)
    return folder
