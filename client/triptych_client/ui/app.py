"""The page to try it on: what Gradio shows, and what happens when somebody asks for an analysis.

Nothing is loaded from elsewhere: the theme has the system's fonts, and Gradio's statistics are off. What visitors send
lies in a folder of the program's own, which goes with it, and is deleted after an hour at most.
"""

from __future__ import annotations

import html
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when Gradio is imported

import gradio as gr
from gradio.themes import Default
from jinja2 import Environment, PackageLoader, StrictUndefined

from triptych_client.characters import printable
from triptych_client.client import Client
from triptych_client.errors import TriptychClientError, mebibytes
from triptych_client.languages import LANGUAGES
from triptych_client.page.html import page
from triptych_client.results import Analysis
from triptych_client.ui.labels import UI_LANGUAGES

LARGEST_BYTES = 64 << 20
"""What a visitor may send, unless the server takes less."""

MOST_WAITING = 20
"""So many visitors wait at most; the next one is told to come back."""

LOOKED_FOR_S, KEPT_S = 600, 3000
"""How often files of visitors are looked for, and how old they may be then, in seconds: an hour together."""

FONTS = ("system-ui", "sans-serif")
LOOK = ".report { width: 100%; height: 85vh; border: 0; border-radius: .6rem; }"


@dataclass(frozen=True)
class Visit:
    """What the program has for every visitor: the server, and the largest clip that is taken."""

    client: Client
    largest_bytes: int

    def analysed(self, path: str | None, lang: str, redact: bool) -> Iterator[tuple[str, Any, Any]]:
        """Yield the report in a frame, and the files to save; they are gone when the visitor has been answered.

        gr.Error says what a visitor should know.
        """
        if path is None:
            raise gr.Error(UI_LANGUAGES[lang].no_clip)
        try:
            answer = self.client.analyze(path).in_language(lang)
            text = page(answer, lang, redact=redact, most_bytes=self.largest_bytes)
        except TriptychClientError as error:
            raise gr.Error(html.escape(printable(error.reason))) from None
        with tempfile.TemporaryDirectory(prefix="triptych-") as folder:
            files = _files(text, answer, Path(folder))
            page_file, json_file = (gr.DownloadButton(value=file) for file in files)
            yield _frame(text, UI_LANGUAGES[lang].report), page_file, json_file


def app(client: Client, lang: str = "en", concurrency: int = 4) -> tuple[gr.Blocks, Visit]:
    """Return the page, and what is behind it. Unavailable when no server answers."""
    limit = client.limits().max_clip_bytes
    visit = Visit(client, min(limit or LARGEST_BYTES, LARGEST_BYTES))
    words = UI_LANGUAGES[lang]
    with gr.Blocks(title=words.title, analytics_enabled=False, delete_cache=(LOOKED_FOR_S, KEPT_S)) as blocks:
        gr.Markdown(f"# {words.title}\n{words.about.format(mebibytes=mebibytes(visit.largest_bytes))}")
        with gr.Row():
            with gr.Column(scale=1, min_width=280):
                clip = gr.Video(
                    label=words.clip,
                    sources=["upload", "webcam"],
                    webcam_options=gr.WebcamOptions(mirror=False),  # a mirrored one is turned by a program, ffmpeg
                    include_audio=True,
                )
                chosen = gr.Radio([*LANGUAGES], value=lang, label=words.report_in)
                redact = gr.Checkbox(label=words.redact)
                button = gr.Button(words.analyse, variant="primary")
                saved = [
                    gr.DownloadButton(words.page_file, size="sm"),
                    gr.DownloadButton(words.json_file, size="sm"),
                ]
            with gr.Column(scale=3, min_width=320):
                report = gr.HTML(label=words.report)
        button.click(
            visit.analysed,
            [clip, chosen, redact],
            [report, *saved],
            concurrency_limit=concurrency,
            api_visibility="private",
        )
    return blocks.queue(max_size=MOST_WAITING), visit


@dataclass(frozen=True)
class Served:
    """A page that is served until it is left."""

    url: str
    blocks: gr.Blocks

    def wait(self) -> None:
        """Serve until interrupted."""
        self.blocks.block_thread()


@contextmanager
def serve(client: Client, host: str, port: int, lang: str = "en", concurrency: int = 4) -> Iterator[Served]:
    """Serve the page on host:port (0: any that is free) while it is entered. Unavailable when no server answers."""
    with tempfile.TemporaryDirectory(prefix="triptych-ui-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder  # read as the page is built, and again as a file is asked for
        blocks, visit = app(client, lang, concurrency)
        blocks.launch(
            server_name=host,
            server_port=port or None,
            max_file_size=visit.largest_bytes,
            share=False,
            theme=Default(font=FONTS, font_mono=("monospace",)),
            css=LOOK,
            footer_links=[],
            run_history=False,
            ssr_mode=False,
            quiet=True,
            prevent_thread_lock=True,
        )
        try:
            assert blocks.local_url is not None, "it was launched"
            yield Served(blocks.local_url, blocks)
        finally:
            blocks.close(verbose=False)


def _frame(text: str, title: str) -> str:
    environment = Environment(
        loader=PackageLoader("triptych_client.ui", "templates"), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("frame.html.jinja").render(page=text, title=title)


def _files(text: str, answer: Analysis, folder: Path) -> list[str]:
    """Write page and answer into a folder, named as the clip; where the program keeps it is nobody's business."""
    name = Path(answer.clip.path or "clip").name
    known = replace(answer, clip=replace(answer.clip, path=name))
    targets = folder / f"{name}.html", folder / f"{name}.json"
    for target, content in zip(targets, (text, known.to_json() + "\n"), strict=True):
        target.write_text(content, encoding="utf-8", errors="backslashreplace")
    return [str(target) for target in targets]
