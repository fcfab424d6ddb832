"""Models of transformers from a folder as `save_pretrained` writes it: whole, or to be trained further."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError
from transformers import PreTrainedModel

from triptych.errors import TriptychError

Model = TypeVar("Model", bound=PreTrainedModel)

UNREADABLE = (OSError, ValueError, RuntimeError, SafetensorError)


def load(model_class: type[Model], folder: Path, **options: Any) -> Model:
    """Return the folder's model in evaluation mode, every weight of it from the file; `options` go to the model.

    TriptychError when it is of another architecture, damaged, or lacks weights: a published backbone without the head
    for the emotions would be given a random one.
    """
    try:
        kind = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
        wanted = model_class.config_class.model_type  # type: ignore[union-attr]
        if kind != wanted:
            raise TriptychError(f"the checkpoint in {folder} is a {kind}, not a {wanted}")
        loaded: Any = model_class.from_pretrained(folder, local_files_only=True, output_loading_info=True, **options)
    except UNREADABLE as error:
        raise TriptychError(f"cannot read a {model_class.__name__} from {folder}: {error}") from error
    model, found = loaded
    if found["missing_keys"]:
        missing = ", ".join(sorted(found["missing_keys"])[:3])
        raise TriptychError(
            f"the checkpoint in {folder} lacks weights of {model_class.__name__} ({missing}): fine-tune it first by "
            "`triptych train --init`, and export what that writes"
        )
    return model.eval()


def start(model_class: type[Model], folder: Path, **options: Any) -> Model:
    """Return a model to train on: what the folder has of it, the rest (a head for other classes) new.

    `options` go to its configuration. TriptychError when nothing can be loaded from there.
    """
    try:
        return model_class.from_pretrained(folder, local_files_only=True, ignore_mismatched_sizes=True, **options)
    except UNREADABLE as error:
        raise TriptychError(f"cannot load {model_class.__name__} from {folder}: {error}") from error
