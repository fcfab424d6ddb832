"""What may be asked of a clip, as request parameters: checked before the first step, since no later one may refuse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from triptych.errors import RequestError
from triptych_client.contract import SPOKEN_LANGUAGES, TASKS


def check(parameters: Mapping[str, Any]) -> None:
    """Raise RequestError for a `task` or a `language` that there is not."""
    task, language = parameters.get("task", TASKS[0]), parameters.get("language") or None
    if task not in TASKS:
        raise RequestError(f"the parameter task is {task!r}; it can be {' or '.join(TASKS)}")
    if language is not None and language not in SPOKEN_LANGUAGES:
        raise RequestError(
            f"the parameter language is {language!r}; it can be one of {', '.join(SPOKEN_LANGUAGES)}, or left out, "
            "to be recognised"
        )
