"""The demo: one clip analysed by a server that lives as long as the demo."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console, RenderableType

from triptych.commands import demo_clip
from triptych.paths import BUILD, CACHE
from triptych.serving.embedded import EmbeddedServer

FOLDER = BUILD / "demo"
PICTURE_COLUMNS = 100


def run(clip: Path | None, lang: str, console: Console, picture: Path | None = None) -> None:
    """Analyse `clip`, or the demo clip, with a server of its own; print the answer and write it as JSON.

    `console` shows progress; the report goes to standard output, and as an SVG into `picture`.
    """
    from triptych_client import Client
    from triptych_client.report import report

    clip = clip or _from_here(make_clip())
    with console.status("Starting Triton") as status:
        server = EmbeddedServer().start()
        try:
            status.update(f"Analysing {clip.name}")
            with Client(server.grpc_url) as client:
                analysis = client.analyze(clip)
        finally:
            status.update("Stopping Triton")
            server.stop()
    Console().print(report(analysis, lang))
    if picture:
        draw(report(analysis, lang), picture)
    FOLDER.mkdir(parents=True, exist_ok=True)
    answer = FOLDER / "answer.json"
    answer.write_text(analysis.to_json() + "\n", encoding="utf-8")
    console.print(f"The same answer as JSON: {_from_here(answer)}")


def _from_here(path: Path) -> Path:
    """Return a path as the reader would type it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def draw(shown: RenderableType, path: Path) -> None:
    """Write what a terminal of 100 columns shows as an SVG."""
    terminal = Console(record=True, width=PICTURE_COLUMNS, file=io.StringIO(), force_terminal=True)
    terminal.print(shown)
    path.parent.mkdir(parents=True, exist_ok=True)
    terminal.save_svg(str(path), title="triptych demo")


def make_clip() -> Path:
    """Return the demo clip, written if it is not there yet."""
    from export import catalog, fetch

    path = FOLDER / "demo.mp4"
    if not path.is_file():
        source = fetch.fetch(catalog.load()["demo-video"], CACHE) / "WolfgangLanger_Pexels.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_bytes(demo_clip.make(source.read_bytes()))
        partial.replace(path)
    return path
