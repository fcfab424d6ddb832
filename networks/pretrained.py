"""Models of transformers from a folder as `save_pretrained` writes it: whole, or to be trained further."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError
from transformers import PreTrainedModel

from triptych.errors import TriptychError

Model = TypeVar("Model", bound=PreTrainedModel)

UNREADABLE = (OSError, EOFError, ValueError, RuntimeError, SafetensorError, pickle.UnpicklingError)


def kind_of(folder: Path) -> str:
    """Return the `model_type` of a folder's config.json; TriptychError when it cannot be read or names none."""
    try:
        return str(json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TriptychError(f"cannot read config.json in {folder}, or it names no model_type: {error!r}") from error


def one_of(classes: Mapping[str, type[Model]], folder: Path, what: str) -> type[Model]:
    """Return the class, by `model_type`, that a folder's checkpoint is read as.

    TriptychError when it is none of these; `what` names in the plural what takes them.
    """
    kind = kind_of(folder)
    if kind not in classes:
        raise TriptychError(f"the checkpoint in {folder} is a {kind}: {what} take one of {', '.join(classes)}")
    return classes[kind]


def load(model_class: type[Model], folder: Path, **options: Any) -> Model:
    """Return the folder's model in evaluation mode, every weight of it from the file; `options` go to the model.

    TriptychError when it is of another architecture, damaged, of other sizes than its configuration says, or lacks
    weights: a published backbone without the head for the emotions would be given a random one.
    """
    kind, wanted = kind_of(folder), model_class.config_class.model_type  # type: ignore[union-attr]
    if kind != wanted:
        raise TriptychError(f"the checkpoint in {folder} is a {kind}, not a {wanted}")
    reading = {"local_files_only": True, "output_loading_info": True, "ignore_mismatched_sizes": True}
    try:
        loaded: Any = model_class.from_pretrained(folder, **reading, **options)
    except UNREADABLE as error:
        raise TriptychError(
            f"cannot read a {model_class.__name__} from {folder}: {error}. If a file is damaged or cut short, fetch it "
            "again"
        ) from error
    model, found = loaded
    _check_sizes(found["mismatched_keys"], folder)
    if found["missing_keys"]:
        missing = ", ".join(sorted(found["missing_keys"])[:3])
        raise TriptychError(
            f"the checkpoint in {folder} lacks weights of {model_class.__name__} ({missing}): fine-tune it first by "
            "`triptych train --init`, and export what that writes"
        )
    return model.eval()


def _check_sizes(others: Iterable[tuple[str, Any, Any]], folder: Path) -> None:
    """TriptychError when tensors (name, shape in the file, shape by config.json) are of other sizes than they should.

    Most often it is the last layer, of as many rows as there are labels.
    """
    differing = sorted(f"{name} is {list(held)} there and {list(wanted)} here" for name, held, wanted in others)
    if differing:
        raise TriptychError(
            f"the weights in {folder} are not of the sizes that its config.json says: {differing[-1]}. Is its number "
            "of labels (id2label) that of the weights?"
        )


def start(model_class: type[Model], folder: Path, **options: Any) -> Model:
    """Return a model to train on: what the folder has of it, the rest (a head for other classes) new.

    `options` go to its configuration. TriptychError when nothing can be loaded from there.
    """
    try:
        return model_class.from_pretrained(folder, local_files_only=True, ignore_mismatched_sizes=True, **options)
    except UNREADABLE as error:
        raise TriptychError(f"cannot load {model_class.__name__} from {folder}: {error}") from error
