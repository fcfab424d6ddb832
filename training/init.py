"""Published weights to start from: `hub:NAME` (a model hub) or `dir:PATH` (a folder with the same files)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from transformers import PreTrainedModel

from triptych.errors import TriptychError

Model = TypeVar("Model", bound=PreTrainedModel)


def published(model_class: type[Model], init: str, **options: Any) -> Model:
    """Return the published model of `init`; `options` go to its configuration.

    TriptychError when `init` has another form, the folder does not exist, or nothing can be loaded from there.
    """
    kind, _, name = init.partition(":")
    if kind not in ("hub", "dir") or not name:
        raise TriptychError(f"--init takes hub:NAME or dir:PATH, not {init}")
    if kind == "dir" and not Path(name, "config.json").is_file():
        raise TriptychError(f"there is no config.json in {name}: dir: takes a folder as a model hub holds it")
    try:
        return model_class.from_pretrained(
            name, local_files_only=kind == "dir", ignore_mismatched_sizes=True, **options
        )
    except (OSError, ValueError, RuntimeError) as error:
        remedy = "" if kind == "dir" else " Where no hub is reachable, copy its files and use --init dir:PATH."
        raise TriptychError(f"cannot load {model_class.__name__} from {init}: {error}.{remedy}") from error
