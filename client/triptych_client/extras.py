"""What only some users need: packages that are imported where they are used, and named where they are missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from triptych_client.errors import TriptychClientError


@contextmanager
def needed_for(what: str, extra: str) -> Iterator[None]:
    """Turn a module that is not installed into one line: what needs it, and the extra that brings it.

    Around imports of third-party packages. TriptychClientError names the first that is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise TriptychClientError(
            f"{what} needs the package {error.name}: pip install './client[{extra}]' in a checkout of Triptych, "
            f"or triptych-client[{extra}] from where its wheel lies"
        ) from error
