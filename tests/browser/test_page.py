"""The page of an answer in a browser that has no network: it plays, follows, seeks, and can be used by everybody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from samples import seen
from triptych_client.page.html import page

SERIOUS = {"serious", "critical"}
Open = Callable[..., Page]
LOADED = """() => new Promise((done) => {
    const media = document.getElementById("media");
    if (media.readyState >= 2) done();
    else media.addEventListener("loadeddata", done, { once: true });
})"""
"""Waits for the first picture; functions that the browser would make of text are what the page forbids."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a made clip, in Russian; a link to the same clip beside it is `linked.html`."""
    folder = tmp_path_factory.mktemp("report")
    clip = seen.write(folder / "Клип #1.mp4")
    answer = seen.answer(clip)
    (folder / "report.html").write_text(page(answer, "ru", folder=folder), encoding="utf-8")
    (folder / "linked.html").write_text(page(answer, "en", folder=folder, most_bytes=0), encoding="utf-8")
    return folder / "report.html"


@pytest.fixture
def opened(chromium: Browser, report: Path) -> Iterator[Open]:
    """Open the page in a window of its own; what it says on the console, and whatever it asks a network for, fails."""
    faults: list[str] = []
    contexts = []

    def call(name: str = "report.html", width: int = 1280, scheme: str = "light") -> Page:
        context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, offline=True)
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: faults.append(message.text))
        tab.on("pageerror", lambda error: faults.append(str(error)))
        tab.on("request", lambda request: _check_request(request.url, faults))
        tab.goto(report.with_name(name).as_uri())
        tab.evaluate(LOADED)
        return tab

    yield call
    for context in contexts:
        context.close()
    assert faults == []


def _check_request(url: str, faults: list[str]) -> None:
    if not url.startswith(("file:", "data:")):
        faults.append(f"the page asked for {url}")


def time_s(tab: Page) -> float:
    return tab.evaluate("document.getElementById('media').currentTime")


def place(tab: Page) -> float:
    """Return where the playhead of the first chart is, as a share of the time."""
    return tab.evaluate("""() => {
        const drawing = [...document.querySelectorAll(".timed .drawing")].find((one) => one.offsetParent);
        const [left, right] = [Number(drawing.dataset.left), Number(drawing.dataset.right)];
        return (parseFloat(drawing.querySelector(".playhead").style.left) / 100 - left) / (right - left);
    }""")


def test_clicking_an_utterance_seeks_and_marks_it(opened: Open):
    tab = opened()
    tab.locator(".line").nth(1).click()
    assert time_s(tab) == pytest.approx(4.1, abs=0.05)
    assert tab.locator(".line[aria-current]").count() == 1
    assert "молчит" in tab.locator(".line[aria-current]").inner_text()
    assert place(tab) == pytest.approx(4.1 / seen.SECONDS, abs=0.02)
    assert "–" in tab.locator("#shares li[data-label=anger]").inner_text(), "there is no evidence then"
    tab.locator(".line").first.click()
    assert "34.1 %" in tab.locator("#shares li[data-label=sadness]").inner_text()


def test_charts_and_transcript_follow_the_playback(opened: Open):
    tab = opened()
    tab.evaluate("() => document.getElementById('media').play()")
    expect(tab.locator(".line").first).to_have_attribute("aria-current", "true")
    tab.evaluate("() => document.getElementById('media').pause()")
    tab.evaluate("() => new Promise(requestAnimationFrame)")
    assert place(tab) == pytest.approx(time_s(tab) / seen.SECONDS, abs=0.02)
    assert place(tab) > 0.06, "the first utterance begins at 0.4 of 6 s"


def test_clicking_a_chart_or_a_face_seeks(opened: Open):
    tab = opened()
    chart = tab.locator(".timed .drawing.wide").first
    box = chart.bounding_box()
    assert box is not None
    chart.click(position={"x": box["width"] * (44 + (920 - 44 - 12) / 2) / 920, "y": box["height"] / 2})
    assert time_s(tab) == pytest.approx(seen.SECONDS / 2, abs=0.1)
    tab.locator("button.face").first.click()
    assert time_s(tab) < 1.0


def test_everything_is_reached_by_keyboard(opened: Open):
    tab = opened()
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    tab.locator("#position").focus()
    tab.keyboard.press("End")
    assert time_s(tab) == pytest.approx(seen.SECONDS, abs=0.1)
    tab.keyboard.press("Home")
    assert tab.locator("#position").get_attribute("aria-valuetext") == "0:00.0, Грусть 34 %"
    tab.locator(".line").first.focus()
    tab.keyboard.press("Enter")
    assert time_s(tab) == pytest.approx(0.4, abs=0.05)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (360, "light"), (360, "dark")])
def test_axe_finds_no_serious_fault_and_nothing_is_cut_off(width: int, scheme: str, opened: Open):
    tab = opened(width=width, scheme=scheme)
    tab.locator(".line").first.click()
    found = Axe().run(tab).response["violations"]
    assert [(fault["id"], fault["nodes"][0]["html"]) for fault in found if fault["impact"] in SERIOUS] == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.locator(f".drawing.{'wide' if width > 640 else 'narrow'}").first.is_visible()


def test_a_linked_clip_plays_from_beside_the_page(opened: Open):
    tab = opened("linked.html")
    tab.locator(".line").nth(1).click()
    assert time_s(tab) == pytest.approx(4.1, abs=0.05)
