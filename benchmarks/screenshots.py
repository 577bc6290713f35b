"""Screenshots of a report for the docs: ``python -m benchmarks.screenshots [FOLDER]``.

It trains the dense autoencoder on 20,000 images of MNIST, writes its report on the test images, and takes pictures of
the page in a headless Chromium, as wide as a desktop and as a phone.
"""

import sys
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright
from tests.browser import ARGUMENTS

import isthmus
from isthmus.datasets import load_mnist

WINDOWS = {1280: 1960, 390: 2200}


def main() -> None:
    """Train, write and take the pictures."""
    folder = Path(sys.argv[1] if sys.argv[1:] else "docs")
    model = isthmus.DenseAutoencoder(random_state=0).fit(load_mnist()[0][:20_000])
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        page = Path(name) / "report.html"
        isthmus.report.write(model, *load_mnist("test"), path=page, name="MNIST")
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        for width, height in WINDOWS.items():
            small(taken(browser, page.as_uri(), width, height), folder / f"report-{width}.png")
        browser.close()


def taken(browser: Browser, url: str, width: int, height: int) -> bytes:
    """Take a picture of the upper part of a page, with the pointer on a row of the map."""
    page = browser.new_page(viewport={"width": width, "height": height})
    page.goto(url)
    page.wait_for_selector("#map[data-ready]")
    box = page.locator("#map canvas").bounding_box()
    page.mouse.move(box["x"] + 0.42 * box["width"], box["y"] + 0.3 * box["height"])
    picture = page.screenshot()
    page.close()
    return picture


def small(picture: bytes, path: Path) -> None:
    """Write a picture with 256 colours."""
    with Image.open(BytesIO(picture)) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    print(path, path.stat().st_size)


if __name__ == "__main__":
    main()
