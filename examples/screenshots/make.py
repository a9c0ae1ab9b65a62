"""The pictures of reports in the README, made anew: needs Chromium and ``pip install playwright``.

    python examples/screenshots/make.py [FOLDER]
"""

import shutil
import sys
from pathlib import Path

import symgrad

EXAMPLES = Path(__file__).parent.parent
#: Name -> what is checked, which part of the page is shown from where on, how much of it, and what is pointed at.
SHOTS = {
    "flagship": (
        {"target": "40*tanh(w*tanh(w*0.5))", "at": {"w": 2}}, "header", 1000, "svg.graph a.wire >> nth=3",
    ),
    "recurrent_tanh": (
        {"target": EXAMPLES / "recurrent_tanh.py"}, "#L16", 1330, "svg.graph a.wire.wrong >> nth=1",
    ),
    "vanilla_rnn": (
        {"target": EXAMPLES / "vanilla_rnn.py"}, "#L27", 1440, "svg.graph a.box.wrong >> nth=0",
    ),
}  # fmt: skip
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


def make(folder: Path, browser) -> list[Path]:
    """Write the pictures into a folder, by a Chromium that Playwright drives, and say where they are."""
    made = []
    for name, (check, start, height, pointed) in SHOTS.items():
        page = browser.new_page(viewport={"width": 1290, "height": 800})
        page.set_content(symgrad.check(**check).html())
        if pointed:
            page.locator(pointed).focus()
        # The panel follows the reader down the page; on a picture it stands where it belongs.
        page.add_style_tag(content=".panel { position: static !important; max-height: none !important }")
        top = page.locator(start).first.bounding_box()["y"] + page.evaluate("scrollY") - 8
        path = folder / f"{name}.png"
        clip = {"x": 0, "y": max(top, 0), "width": 1290, "height": height}
        page.screenshot(path=path, full_page=True, clip=clip)
        page.close()
        made.append(path)
    return made


def main(folder: Path) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        for path in make(folder, browser):
            print(path)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
