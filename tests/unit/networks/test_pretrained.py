"""Checkpoints of transformers: read whole, or started from."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import Swinv2Config, Swinv2ForImageClassification, Swinv2Model, ViTForImageClassification

from networks import pretrained
from triptych.errors import TriptychError

CONFIG = Swinv2Config(image_size=16, patch_size=4, embed_dim=12, depths=[1], num_heads=[2], window_size=2)


def test_a_checkpoint_is_read_whole_or_refused(tmp_path: Path):
    Swinv2ForImageClassification(CONFIG).save_pretrained(tmp_path / "whole")
    assert not pretrained.load(Swinv2ForImageClassification, tmp_path / "whole").training
    Swinv2Model(CONFIG).save_pretrained(tmp_path / "backbone")
    with pytest.raises(TriptychError, match=r"lacks weights .*classifier.*triptych train --init"):
        pretrained.load(Swinv2ForImageClassification, tmp_path / "backbone")
    with pytest.raises(TriptychError, match="is a swinv2, not a vit"):
        pretrained.load(ViTForImageClassification, tmp_path / "whole")
    (tmp_path / "whole" / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(TriptychError, match="cannot read a Swinv2ForImageClassification from"):
        pretrained.load(Swinv2ForImageClassification, tmp_path / "whole")


def test_training_starts_from_a_backbone_with_a_new_head(tmp_path: Path):
    backbone = Swinv2Model(CONFIG)
    backbone.save_pretrained(tmp_path)
    labels = dict(enumerate("abc"))
    model = pretrained.start(Swinv2ForImageClassification, tmp_path, id2label=labels)
    assert model.classifier.out_features == len(labels)
    kept = model.swinv2.state_dict()
    assert all(value.equal(kept[name]) for name, value in backbone.state_dict().items())


def test_what_nothing_can_be_started_from_is_named(tmp_path: Path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(TriptychError, match=f"cannot load Swinv2ForImageClassification from {tmp_path}"):
        pretrained.start(Swinv2ForImageClassification, tmp_path)
