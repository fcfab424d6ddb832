"""Tiny audio transformers with random weights, in the form of published checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import (
    ASTConfig,
    ASTFeatureExtractor,
    ASTForAudioClassification,
    HubertConfig,
    PreTrainedConfig,
    PreTrainedModel,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForSequenceClassification,
    WavLMConfig,
)

from networks.voice.wav2vec2 import KINDS

EMOTION_LABELS = ["Happy", "Sad", "Angry", "Neutral", "Surprise", "Disgust", "Fear"]
EMOTION_ORDER = [2, 5, 6, 0, 1, 4, 3]
"""Where each of EMOTIONS is among them."""
TEMPERATURE = 1.7
TAGS = ["Speech", "Laughter", "Crying, sobbing", "Music", "Silence"]
MEAN, STD = -4.0, 4.5


CONFIGS: dict[str, type[PreTrainedConfig]] = {"wav2vec2": Wav2Vec2Config, "hubert": HubertConfig, "wavlm": WavLMConfig}


def wav2vec2_config(norm: str = "group", kind: str = "wav2vec2", **options: object) -> PreTrainedConfig:
    """The published strides, and so as many frames, but little else; `norm`: group as base, layer as large."""
    return CONFIGS[kind](
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(8,) * 7,
        feat_extract_norm=norm,
        do_stable_layer_norm=norm == "layer",
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
        classifier_proj_size=16,
        initializer_range=0.5,  # so that random logits differ
        **options,
    )


def save_wav2vec2(folder: Path, norm: str = "group") -> Wav2Vec2ForSequenceClassification:
    """Write a checkpoint with the seven emotions and a temperature."""
    torch.manual_seed(0)
    config = wav2vec2_config(
        norm, id2label=dict(enumerate(EMOTION_LABELS)), label2id={name: i for i, name in enumerate(EMOTION_LABELS)}
    )
    config.logit_temperature = TEMPERATURE
    model = Wav2Vec2ForSequenceClassification(config).eval()
    model.save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return model


def save_voice(folder: Path, kind: str, norm: str, labels: Sequence[str], layer_sum: bool) -> PreTrainedModel:
    """Write a published classifier of voices; `layer_sum`: it weighs all layers, as those of SUPERB do."""
    torch.manual_seed(0)
    names = {"id2label": dict(enumerate(labels)), "label2id": {label: index for index, label in enumerate(labels)}}
    config = wav2vec2_config(norm, kind, use_weighted_layer_sum=layer_sum, **names)
    model = KINDS[kind](config).eval()
    if layer_sum:
        torch.nn.init.normal_(model.layer_weights)
    model.save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return model


def save_ast(folder: Path, names: list[str] = TAGS) -> ASTForAudioClassification:
    """Write a checkpoint with these classes; long strides, so that 10.24 s are few tokens."""
    torch.manual_seed(0)
    config = ASTConfig(
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        frequency_stride=56,
        time_stride=112,
        id2label=dict(enumerate(names)),
        label2id={name: index for index, name in enumerate(names)},
        initializer_range=0.5,  # so that random probabilities differ
    )
    model = ASTForAudioClassification(config).eval()
    if names == TAGS:  # it is to hear speech in speech, and neither laughter nor crying
        model.classifier.dense.bias.data = torch.tensor([4.0, -4.0, -4.0, 0.0, 0.0])
    model.save_pretrained(folder)
    ASTFeatureExtractor(mean=MEAN, std=STD).save_pretrained(folder)
    return model
