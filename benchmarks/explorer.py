"""How quick the explorer is with the 70,000 images of MNIST, and its pictures for the docs.

``python -m benchmarks.explorer [MODEL] [FOLDER]`` takes a model of MNIST, or trains a variational autoencoder of two
numbers. It serves the page on this machine and drives it in a headless Chromium, which has no graphics card: the plain
renderer draws the frames.
"""

import os
import subprocess
import sys
import tempfile
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from tests.browser import ARGUMENTS, PAN, Seen, drag

import isthmus
from benchmarks.machine import machine
from isthmus.datasets import load_mnist

LOOKS = {"1280": (1280, 800, "light"), "390": (390, 844, "light")}
TALL = 1560


def main() -> None:
    """Serve, measure and take the pictures."""
    images, labels = (np.concatenate(both) for both in zip(load_mnist(), load_mnist("test"), strict=True))
    folder = Path(sys.argv[2] if sys.argv[2:] else "docs")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        np.save(Path(name) / "images.npy", images)
        np.save(Path(name) / "labels.npy", labels)
        model = sys.argv[1] if sys.argv[1:] else trained(Path(name) / "model.safetensors", images[:60_000])
        command = [sys.executable, "-m", "isthmus", "explore", model, f"{name}/images.npy", "--no-browser"]
        command += ["--labels", f"{name}/labels.npy"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            address = server.stdout.readline().split()[4]
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
            print(machine(), f"load {os.getloadavg()[0]:.1f}")
            measure(opened(browser, address, 1280, 800, "light"))
            for look, (width, height, scheme) in LOOKS.items():
                picture(opened(browser, address, width, height, scheme), folder / f"explorer-{look}.png")
            browser.close()
            server.terminate()


def trained(path: Path, images: np.ndarray) -> str:
    """Train the model whose map is shown."""
    isthmus.VariationalAutoencoder(2, hidden=(256, 128), max_epochs=12, random_state=0).fit(images).save(path)
    return str(path)


def opened(browser: Browser, address: str, width: int, height: int, scheme: str) -> Page:
    """Open the page and wait until all of it is there."""
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme, has_touch=width < 500)
    page.goto(address)
    page.wait_for_selector("html[data-ready]", timeout=120_000)
    page.wait_for_selector("#near button")
    return page


def measure(page: Page) -> None:
    """Drag over the map, then pan."""
    box = page.locator("#map").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    circle = [(x + 150 * np.cos(turn / 5), y + 120 * np.sin(turn / 5)) for turn in range(40)]
    for _ in ("warm up", "measure"):
        page.evaluate("performance.clearMeasures()")
        drag(Seen(page), (x, y), *circle)
    took = page.evaluate("performance.getEntriesByName('decode').map(one => one.duration)")
    frames = page.evaluate(PAN, 120)
    for name, times in (("decoded in", took), ("frame", frames)):
        quartiles = np.quantile(times, [0.25, 0.5, 0.75])
        print(f"{name:<12}{quartiles[1]:6.1f} ms (quartiles {quartiles[0]:.1f} and {quartiles[2]:.1f} of {len(times)})")
    page.close()


def picture(page: Page, path: Path) -> None:
    """Set a scene: a walk between two digits, noise on a row, the pointer on a point."""
    page.evaluate("""async () => {
      const { atlas, pins, own } = explorer, first = (label) => [...atlas.labels].indexOf(label);
      for (const id of [...pins.ids]) pins.remove(id);
      for (const label of [0, 8, 1]) await pins.toggle(first(label));
      own.set(await atlas.row(first(3)));
      document.getElementById("noise").value = 0.35;
      own.update();
    }""")
    page.wait_for_timeout(2000)
    page.evaluate("explorer.point.set(explorer.atlas.code([...explorer.atlas.labels].indexOf(7)))")
    page.wait_for_timeout(2000)
    width, height = page.evaluate("[document.body.scrollWidth, document.body.scrollHeight]")
    content = page.screenshot(full_page=True, clip={"x": 0, "y": 0, "width": width, "height": min(height, TALL)})
    page.close()
    with Image.open(BytesIO(content)) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    print(path, path.stat().st_size)


if __name__ == "__main__":
    main()
