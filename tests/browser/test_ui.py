"""`triptych ui` in a browser: a clip is dropped, and its report is seen; by several visitors at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page, expect

from samples import seen
from samples.scripted_server import BUSY, Refusal, ScriptedServer
from triptych.commands.demo_clip import LINES
from triptych.serving.service import Service
from triptych_client import Client
from triptych_client.ui import app

PATIENCE_MS = 120_000


@pytest.fixture
def visitors(chromium: Browser) -> Iterator[list[BrowserContext]]:
    """Two visitors, each with cookies and storage of his own, in a browser without proxies."""
    contexts = [chromium.new_context(), chromium.new_context()]
    yield contexts
    for context in contexts:
        context.close()


def served(client: Client) -> app.Served:
    return app.serve(client, "127.0.0.1", 0, concurrency=2)


def dropped(visitor: BrowserContext, url: str, clip: Path) -> Page:
    """Open the page, drop a clip and ask for the analysis."""
    tab = visitor.new_page()
    tab.goto(url)
    tab.locator("input[type=file]").first.set_input_files(clip)
    expect(tab.locator("video").first).to_be_visible(timeout=PATIENCE_MS)
    tab.get_by_role("button", name="Analyse").click()
    return tab


def report(tab: Page) -> FrameLocator:
    frame = tab.frame_locator("iframe.report")
    expect(frame.locator("h1")).to_be_visible(timeout=PATIENCE_MS)
    return frame


def test_visitors_see_the_reports_of_their_own_clips(visitors: list[BrowserContext], tmp_path: Path):
    clips = [seen.write(tmp_path / name) for name in ("first.mp4", "second & <third>.mp4")]
    with ScriptedServer() as server, Client(server.url) as client, served(client) as page:
        tabs = [dropped(visitor, page.url, clip) for visitor, clip in zip(visitors, clips)]
        for tab, clip in zip(tabs, clips):
            frame = report(tab)
            assert frame.locator("h1").inner_text().split(".")[0].split()[0] == clip.stem.split()[0]
            frame.locator(".line").nth(1).click()
            expect(frame.locator(".line").nth(1)).to_have_attribute("aria-current", "true")
            with tab.expect_download(timeout=PATIENCE_MS) as download:
                tab.get_by_text("Save the answer (JSON)").click()
            answer = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
            assert "/" not in answer["clip"]["path"], "where the program keeps files is nobody's business"


def test_what_the_server_refuses_is_told(visitors: list[BrowserContext], tmp_path: Path):
    clip = seen.write(tmp_path / "a.mp4")
    refusals = [Refusal(BUSY, "<b>full</b>")] * 9
    with ScriptedServer(refusals) as server, Client(server.url) as client, served(client) as page:
        tab = dropped(visitors[0], page.url, clip)
        expect(tab.get_by_text("<b>full</b>")).to_be_visible(timeout=PATIENCE_MS)


@pytest.mark.server
def test_a_real_clip_is_answered_by_the_real_server(
    server: Service, client: Client, demo_clip: Path, visitors: list[BrowserContext]
):
    with served(client) as page:
        frame = report(dropped(visitors[0], page.url, demo_clip))
        expect(frame.locator(".line")).to_have_count(len(LINES))
        assert frame.locator("#media").evaluate("media => media.tagName") == "VIDEO"
