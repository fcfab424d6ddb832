"""Checkpoints of transformers: read whole, or started from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
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


@pytest.mark.parametrize("kept", [0.0, 0.4, 0.95])
@pytest.mark.parametrize("form", ["safetensors", "pickle"])
def test_a_download_that_was_cut_short_is_named(form: str, kept: float, tmp_path: Path):
    model = Swinv2ForImageClassification(CONFIG)
    model.save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    if form == "pickle":
        path.unlink()
        path = tmp_path / "pytorch_model.bin"
        torch.save(model.state_dict(), path)
        pretrained.load(Swinv2ForImageClassification, tmp_path)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(TriptychError, match=r"cannot read a Swinv2\w+ from .*cut short, fetch it again"):
        pretrained.load(Swinv2ForImageClassification, tmp_path)


def test_a_configuration_that_cannot_be_read_is_named(tmp_path: Path):
    for content in ("{", "[]", "{}"):
        (tmp_path / "config.json").write_text(content)
        with pytest.raises(TriptychError, match=r"cannot read config\.json in .*model_type"):
            pretrained.load(Swinv2ForImageClassification, tmp_path)


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
