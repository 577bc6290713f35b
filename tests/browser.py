"""A real Chromium without a window: pages as a reader sees them."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def chromium():
    """The browser; tests that want it are skipped where it is not installed."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no chromium: apt-get install -y chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@dataclass
class Seen:
    """A page, with what it said and what it asked for.

    Attributes
    ----------
    page : playwright.sync_api.Page
        The page.
    complaints : list of str
        Errors and warnings of the console, and errors that nothing caught.
    requests : list of str
        Addresses that were asked for, but for those within the page itself.
    """

    page: object
    complaints: list = field(default_factory=list)
    requests: list = field(default_factory=list)

    def pixels(self, selector):
        """What an element looks like: (height, width, 3)."""
        with Image.open(BytesIO(self.page.locator(selector).first.screenshot())) as image:
            return np.asarray(image.convert("RGB")).astype(int)

    def overflow(self):
        """Pixels by which the page is wider than the window."""
        return self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


@contextmanager
def opened(chromium, url, width=1280, height=900, **options) -> Iterator[Seen]:
    """Open an address in a window of its own; ``color_scheme="dark"`` and the like go to the browser."""
    context = chromium.new_context(viewport={"width": width, "height": height}, **options)
    context.set_default_timeout(120_000)
    seen = Seen(context.new_page())
    seen.page.on("console", lambda one: one.type in ("error", "warning") and seen.complaints.append(one.text))
    seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    seen.page.on("request", lambda one: one.url.startswith(("data:", "blob:")) or seen.requests.append(one.url))
    seen.page.goto(url)
    try:
        yield seen
    finally:
        context.close()


def drag(seen, start, *places):
    """Press, move and release the pointer."""
    mouse = seen.page.mouse
    mouse.move(*start)
    mouse.down()
    for place in places:
        mouse.move(*place, steps=4)
    mouse.up()


# Pan the explorer's map, a step in each frame; gives the times between frames in milliseconds.
PAN = """async (frames) => {
  const surface = document.getElementById("map-surface"), box = surface.getBoundingClientRect();
  document.getElementById("mode-pan").click();
  surface.setPointerCapture = () => null;
  const send = (kind, i) => surface.dispatchEvent(new PointerEvent(kind, {
    pointerId: 1, clientX: box.left + 300 + 4 * (i % 40), clientY: box.top + 200 + 3 * (i % 25) }));
  send("pointerdown", 0);
  const times = [];
  let last = await new Promise(requestAnimationFrame);
  for (let i = 1; i <= frames; i++) {
    send("pointermove", i);
    const now = await new Promise(requestAnimationFrame);
    times.push(now - last);
    last = now;
  }
  return times;
}"""
