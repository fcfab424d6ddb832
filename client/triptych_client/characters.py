"""Which characters can be shown, and where: names of files are bytes of any encoding, and so are consoles."""

from __future__ import annotations

import codecs
import json
import re
import unicodedata
from typing import Any, TextIO

_ESCAPED_BYTES = re.compile("[\udc80-\udcff]+")
"""How Python reads bytes of a file's name that its encoding lacks (PEP 383): where the locale is ASCII, UTF-8 too."""
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

NEAREST = {"–": "-", "—": "-", "·": ".", "×": "x", "…": "...", "“": '"', "”": '"', "’": "'", "•": "*"}
_BLOCKS = "▏▎▍▌▋▊▉█▐"
_LINES = str.maketrans(dict.fromkeys("─━═", "-") | dict.fromkeys("│┃║", "|") | dict.fromkeys(_BLOCKS, "#"))

REPORT_ERRORS = "triptych-nearest"
"""The error handler of streams that reports go to: what the encoding lacks becomes what is nearest to it."""


def printable(text: str) -> str:
    r"""Return text with what moves the cursor, or is no character, as an escape: \x1b, \udcff."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in _as_utf_8(text))


def to_json(value: Any, indent: int | None = None) -> str:
    """Return JSON that any UTF-8 stream takes: lone surrogates, which names of files can hold, stay escapes."""
    text = _as_utf_8(json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False))
    return _LONE_SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def prepare_console(stream: TextIO, *, for_machines: bool) -> None:
    """Make a console's stream take any text: UTF-8 for machines, and for people as near as its encoding comes."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is None:  # a stream of a program that runs the command within itself
        return
    if for_machines:
        reconfigure(encoding="utf-8", errors="backslashreplace")
    else:
        reconfigure(errors=REPORT_ERRORS)


def _as_utf_8(text: str) -> str:
    """Return text with the characters that its escaped bytes are in UTF-8, where they are any."""
    return _ESCAPED_BYTES.sub(
        lambda match: match[0].encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape"), text
    )


def _nearest(error: UnicodeError) -> tuple[str, int]:
    """Return what stands for characters that an encoding lacks: their like in ASCII, or a question mark each."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_ascii, error.object[error.start : error.end])), error.end


def _ascii(character: str) -> str:
    if _LONE_SURROGATE.match(character):
        return f"\\u{ord(character):04x}"
    near = NEAREST.get(character) or unicodedata.normalize("NFKD", character.translate(_LINES))
    return near.encode("ascii", "ignore").decode("ascii") or "?"


codecs.register_error(REPORT_ERRORS, _nearest)
