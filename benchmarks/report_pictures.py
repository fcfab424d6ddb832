"""How does the report look? Pictures of the demo clip's, as a browser shows it, for the documentation.

python -m benchmarks.report_pictures    (a server listens; Chromium is installed)
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from triptych.commands.demo import make_clip
from triptych_client import Client
from triptych_client.page.html import page
from triptych_client.peer import DEFAULT_URL

LOOKS = {"report": ("en", 1280, 900, "light"), "report_phone": ("ru", 390, 844, "dark")}
"""Pictures by name: language, width and height of the window in pixels, and colours."""

SENTENCE = 1
"""The sentence that is clicked first, so that something is marked."""

SOUGHT = """() => new Promise((done) => {
    const media = document.getElementById("media");
    if (media.seeking) media.onseeked = done;
    else done();
})"""
"""Waits for the picture of the sentence."""

COLOURS = 128
"""A picture has so many colours, which keeps it below 300 kB."""


def main(
    url: Annotated[str, typer.Option(help="The server.")] = DEFAULT_URL,
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path("docs"),
    browser: Annotated[str, typer.Option(help="Chromium, by name or path.")] = "chromium",
) -> None:
    """Analyse the demo clip, and write a picture of its report in each look."""
    with Client(url) as client:
        answer = client.analyze(make_clip())
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which(browser), args=["--no-sandbox"])
        for name, (lang, width, height, colours) in LOOKS.items():
            report = Path(folder) / f"{name}.html"
            report.write_text(page(answer, lang), encoding="utf-8")
            _photograph(chromium, report, out / f"{name}.png", (width, height), colours)
        chromium.close()


def _photograph(chromium: Browser, report: Path, target: Path, size: tuple[int, int], colours: str) -> None:
    width, height = size
    tab = chromium.new_page(viewport={"width": width, "height": height}, color_scheme=colours)
    tab.goto(report.as_uri())
    tab.locator(".line").nth(SENTENCE).click()
    tab.evaluate(SOUGHT)
    tab.screenshot(path=target)
    tab.close()
    Image.open(target).convert("RGB").quantize(COLOURS).save(target, optimize=True)


if __name__ == "__main__":
    typer.run(main)
