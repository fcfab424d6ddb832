"""How do the answers look? Pictures of the demo clip's, in a terminal, as a report and on the page to try it on.

python -m benchmarks.report_pictures    (a server listens; Chromium and the client's extra `ui` are installed)
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from triptych.commands.demo import draw, make_clip
from triptych_client import Analysis, Client
from triptych_client.page.html import page
from triptych_client.peer import DEFAULT_URL
from triptych_client.report import report

LOOKS = {"report": ("en", 1280, 900, "light"), "report_phone": ("ru", 390, 844, "dark")}
"""Pictures by name: language, width and height of the window in pixels, and colours."""

WHOLE, LAST = "report", "section[aria-labelledby=h-tags]"
"""The picture that shows everything down to the sounds over time."""

SENTENCE = 1
"""The sentence that is clicked first, so that something is marked."""

TRY_IT = (1280, 800)
"""Width and height of the page to try it on."""

SOUGHT = """() => new Promise((done) => {
    const media = document.getElementById("media");
    if (media.seeking) media.onseeked = done;
    else done();
})"""
"""Waits for the picture of the sentence."""

LOADED = """(media) => new Promise((done) => {
    if (media.readyState >= 2) done();
    else media.onloadeddata = done;
})"""
"""Waits for the first picture."""

MARGIN_PX = 16

COLOURS = 128
"""A picture has so many colours, which keeps it below 300 kB."""

PATIENCE_MS = 120_000


def main(
    url: Annotated[str, typer.Option(help="The server.")] = DEFAULT_URL,
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path("docs"),
    browser: Annotated[str, typer.Option(help="Chromium, by name or path.")] = "chromium",
) -> None:
    """Analyse the demo clip, and write all pictures of its answer."""
    with Client(url) as client, sync_playwright() as playwright:
        answer = client.analyze(make_clip())
        draw(report(answer, "en"), out / "demo.svg")
        chromium = playwright.chromium.launch(executable_path=shutil.which(browser), args=["--no-sandbox"])
        _photograph_reports(chromium, answer, out)
        _photograph_page(chromium, client, out / "page.png")
        chromium.close()


def _photograph_reports(chromium: Browser, answer: Analysis, out: Path) -> None:
    """Write the report around a sentence, in each look."""
    with tempfile.TemporaryDirectory() as folder:
        for name, (lang, width, height, colours) in LOOKS.items():
            file = Path(folder) / f"{name}.html"
            file.write_text(page(answer, lang), encoding="utf-8")
            tab = chromium.new_page(viewport={"width": width, "height": height}, color_scheme=colours)
            tab.goto(file.as_uri())
            if name == WHOLE and (box := tab.locator(LAST).bounding_box()):
                tab.set_viewport_size({"width": width, "height": round(box["y"] + box["height"]) + MARGIN_PX})
            tab.locator(".line").nth(SENTENCE).click()
            tab.evaluate(SOUGHT)
            _keep(tab, out / f"{name}.png")


def _photograph_page(chromium: Browser, client: Client, target: Path) -> None:
    """Write the page to try it on, after a visitor has dropped the demo clip."""
    from triptych_client.ui.app import serve

    with serve(client, "127.0.0.1", 0) as served:
        tab = chromium.new_page(viewport={"width": TRY_IT[0], "height": TRY_IT[1]}, color_scheme="light")
        tab.goto(served.url)
        tab.locator("input[type=file]").first.set_input_files(make_clip())
        tab.locator("video").first.wait_for(timeout=PATIENCE_MS)
        tab.get_by_role("button", name="Analyse").click()
        tab.frame_locator("iframe.report").locator("#media").evaluate(LOADED, timeout=PATIENCE_MS)
        _keep(tab, target)


def _keep(tab: Page, target: Path) -> None:
    """Write what a tab shows, with few colours, and close it."""
    tab.screenshot(path=target)
    tab.close()
    Image.open(target).convert("RGB").quantize(COLOURS).save(target, optimize=True)


if __name__ == "__main__":
    typer.run(main)
