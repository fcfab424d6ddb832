"""An answer as one HTML file: what the page shows, poured into the template with its style and its script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from triptych_client.page.media import EMBEDDED_BYTES, media
from triptych_client.page.thumbnails import thumbnails
from triptych_client.page.view import view
from triptych_client.results import Analysis

PACKAGE, TEMPLATES = "triptych_client.page", "templates"


def pages(
    analyses: Iterable[Analysis],
    lang: str = "en",
    *,
    folder: Path | None = None,
    redact: bool = False,
    most_bytes: int = EMBEDDED_BYTES,
) -> Iterator[str]:
    """Yield the page of each answer; the arguments are those of `page`."""
    for analysis in analyses:
        yield page(analysis, lang, folder=folder, redact=redact, most_bytes=most_bytes)


def page(
    analysis: Analysis,
    lang: str = "en",
    *,
    folder: Path | None = None,
    redact: bool = False,
    most_bytes: int = EMBEDDED_BYTES,
) -> str:
    """Return an answer as HTML that loads nothing from anywhere, with its clip inside, if that is small enough.

    `folder` is where the file will lie, for the link to a larger clip. With `redact` faces are blurred in the clip and
    the pictures. A clip that is not at hand, or cannot be read, is left out, and the page says so. ValueError for a
    language without words.
    """
    clip = media(analysis, folder, redact=redact, most_bytes=most_bytes)
    shown = view(analysis, lang, clip, thumbnails(analysis, redact=redact), redacted=redact)
    environment = Environment(
        loader=PackageLoader(PACKAGE, TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = _text("page.js")
    return environment.get_template("page.html.jinja").render(
        view=shown, style=_text("page.css"), script=script, script_hash=_digest(script)
    )


def _text(name: str) -> str:
    return files(PACKAGE).joinpath(TEMPLATES, name).read_text(encoding="utf-8")


def _digest(script: str) -> str:
    """Return a script as the page's content security policy names it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
