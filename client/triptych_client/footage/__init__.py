"""Long footage: cut into windows that a server takes, sent a few at a time, and stitched to one answer.

Nothing of the film is held but the windows that are on their way. Needs PyAV, the extra `footage`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from triptych_client.client import Client
    from triptych_client.results import Analysis


def analyze(
    client: Client,
    film: str | os.PathLike[str],
    *,
    concurrency: int = 2,
    window_s: float | None = None,
    **options: Any,
) -> Analysis:
    """Return one answer for a film of any length; its `footage` says in which parts it was analysed.

    At most `concurrency` windows are analysed at once, each of `window_s` seconds, or as long as the server takes.
    `options` are those of `Client.analyze`. InvalidClip for what cannot be cut, or when every window failed; a server
    that goes away meanwhile is waited for.

    >>> from triptych_client import Client, footage
    >>> with Client("localhost:8001") as client:
    ...     answer = footage.analyze(client, "clip.mp4", window_s=12)
    >>> answer.footage.complete
    True
    """
    from triptych_client.footage.media import Film
    from triptych_client.footage.sending import bounds_of, stream
    from triptych_client.footage.stitching import stitch

    bounds = bounds_of(client.known_limits(), window_s)
    with Film(film) as opened:
        parts = list(stream(client, opened, bounds, concurrency=concurrency, **options))
        return stitch(parts, opened.path, opened.duration_s)
