"""Pages in a real Chromium: they render, can be clicked and walked through by keyboard, and pass axe's checks."""

from __future__ import annotations

import runpy
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import symgrad
from tests.benchmarks.rendering import recurrence
from tests.reports import report_of
from tests.test_renderings import HOSTILE

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome") or ""
playwright = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed")

#: Without a network and as root in a container.
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as p:
        found = p.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield found
        found.close()


@pytest.fixture
def visit(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """A function that opens a page; what the page logs, or asks the network for, fails the test."""
    trouble: list[str] = []
    contexts = []

    def go(html: str, scheme: str = "light", *, check: bool = False) -> Any:
        path = tmp_path / f"page{len(contexts)}.html"
        path.write_text(html, encoding="utf-8")
        context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme, bypass_csp=check)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: trouble.append(message.text))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("dialog", lambda dialog: trouble.append(f"dialog {dialog.message}"))
        page.on("request", lambda request: None if request.url.startswith("file:") else trouble.append(request.url))
        page.goto(path.as_uri())
        return page

    yield go
    for context in contexts:
        context.close()
    assert not trouble


def long_report() -> Any:
    return symgrad.check(recurrence(1000), at={"x": 0.3, "w": 0.9, "b": 0.1}, simplify_seconds=0)


@pytest.mark.parametrize(("name", "scheme"), [
    ("recurrent_tanh.py", "light"), ("vanilla_rnn.py", "dark"), ("homework.ipynb", "dark"), ("rounding.py", "light"),
])  # fmt: skip
def test_accessibility(visit: Any, name: str, scheme: str) -> None:
    page = visit(report_of(name).html(), scheme, check=True)
    found = axe.Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_focus_shows_a_factor_and_lights_its_line(visit: Any) -> None:
    page = visit(report_of("recurrent_tanh.py").html())
    assert page.locator("h1").inner_text() == "✗ disagree: 4 mistakes, in lines 25, 27, 35 and 38: input-for-output"
    wire = page.locator("svg.graph a.wire.wrong").first
    wire.focus()
    panel = page.locator("#panel")
    assert "found in line 25" in panel.inner_text()
    assert panel.locator("math").count() >= 3
    assert panel.locator("del").count() == 2
    assert page.locator("li#L18.active, li#L25.active, li#L38.active").count() == 3
    page.locator("svg.graph a.box.input", has_text="w_h").hover()
    assert "-40.2153" in panel.inner_text()
    assert "8.188808" in panel.inner_text()
    box = page.locator("svg.graph a.wire.wrong text").first.bounding_box()
    assert box["width"] > 5


def test_every_step_is_reached_by_keyboard(visit: Any) -> None:
    page = visit(report_of("named_steps.py").html())
    seen = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.getAttribute('href') || ''"))
    assert {f"#step-{n}" for n in range(5)} <= seen
    page.locator("svg.graph a.box").last.focus()
    page.keyboard.press("Enter")
    assert "local factors" in page.locator("#panel").inner_text()


def test_words_of_the_drawing_do_not_touch(visit: Any) -> None:
    for name in ("recurrent_tanh.py", "vanilla_rnn.py", "staged.py"):
        page = visit(report_of(name).html())
        boxes = page.evaluate(
            """() => [...document.querySelectorAll('svg.graph')].filter(s => s.checkVisibility()).flatMap((s, n) =>
               [...s.querySelectorAll('text')].map(t => { const b = t.getBoundingClientRect();
               return [n, b.left, b.top, b.right, b.bottom, t.textContent] }))"""
        )
        assert len(boxes) > 10
        for i, a in enumerate(boxes):
            for b in boxes[i + 1 :]:
                apart = a[0] != b[0] or a[3] <= b[1] + 1 or b[3] <= a[1] + 1 or a[4] <= b[2] + 4 or b[4] <= a[2] + 4
                assert apart, (a[5], b[5])


def test_a_thousand_steps_open_stage_by_stage(visit: Any) -> None:
    page = visit(long_report().html())
    drawn = "[...document.querySelectorAll('svg.graph a.box')].filter(e => e.checkVisibility()).length"
    before = page.evaluate(drawn)
    assert before < 60
    page.locator("svg.graph a.stage").first.click()
    first = page.locator("details.stage").first
    assert first.evaluate("e => e.open")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    assert page.evaluate(drawn) > before
    first.locator("svg.graph a.stage").first.click()
    assert page.locator("details.stage details.stage[open]").count() == 1
    page.evaluate("location.hash = '#step-500'")
    page.wait_for_function("document.getElementById('step-500').checkVisibility()")


def test_hostile_code_stays_text(visit: Any, tmp_path: Path) -> None:
    path = tmp_path / "hostile.py"
    path.write_text(HOSTILE)
    # Once as it is, once with the content security policy out of the way: the text alone must be harmless.
    for check in (False, True):
        page = visit(symgrad.check(path).html(), check=check)
        page.locator("svg.graph a").first.focus()
        page.wait_for_timeout(50)
        assert page.evaluate("window.pwned") is None
        assert "<script>window.pwned = 1</script>" in page.locator("main").inner_text()


def test_policy_lets_no_other_script_run(visit: Any, browser: Any, tmp_path: Path) -> None:
    html = report_of("named_steps.py").html().replace("</main>", "<script>window.pwned = 9</script></main>")
    path = tmp_path / "injected.html"
    path.write_text(html, encoding="utf-8")
    context = browser.new_context()
    page = context.new_page()
    page.goto(path.as_uri())
    assert page.evaluate("window.pwned") is None
    context.close()


def test_print_opens_what_is_folded(visit: Any) -> None:
    page = visit(report_of("vanilla_rnn.py").html())
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("document.querySelectorAll('details:not([open])').length") == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("document.querySelectorAll('details:not([open])').length") > 0


def test_screenshots_can_be_made_again(browser: Any, tmp_path: Path) -> None:
    """The script behind the README's pictures; their text may differ by a font, their size not."""
    image = pytest.importorskip("PIL.Image")
    script = Path(__file__).parent.parent / "examples" / "screenshots" / "make.py"
    make = runpy.run_path(str(script))["make"]
    for path in make(tmp_path, browser):
        kept = script.parent / path.name
        assert kept.exists()
        assert image.open(path).size == image.open(kept).size
        assert len(image.open(path).convert("RGB").getcolors(1 << 22)) > 50
