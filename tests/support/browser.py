"""Pages of the UI as headless Chromium draws them."""

import base64
import itertools
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import matplotlib.image
import numpy as np
from numpy.typing import NDArray
from websockets.sync.client import connect

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
AHEAD = "--virtual-time-budget=60000"
"""The page's clock runs ahead while nothing is loading, so that it has all of its data when it is drawn."""
LOOK_SECONDS = 2.0


def browser() -> str:
    """Path of a Chromium; FileNotFoundError where there is none."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        msg = f"no browser: none of {', '.join(NAMES)} is installed"
        raise FileNotFoundError(msg)
    return found


def screenshot(url: str, target: Path, size: tuple[int, int] = (1920, 1080)) -> NDArray[np.uint8]:
    """Draw a page into a PNG file; its pixels, ``[height, width, 3]``."""
    target.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [
                browser(),
                *FLAGS,
                AHEAD,
                f"--user-data-dir={profile}",
                f"--window-size={size[0]},{size[1]}",
                f"--screenshot={target}",
                url,
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=180,
            check=True,
        )
    pixels = matplotlib.image.imread(target)
    return (pixels[..., :3] * 255).round().astype(np.uint8)


def drawn(
    url: str, target: Path, size: tuple[int, int], enough: Callable[[NDArray[np.uint8]], bool], seconds: float = 120.0
) -> NDArray[np.uint8]:
    """Look at a page until it shows enough, as a person would: what is laid out beside it, no page's clock waits for.

    The last look's pixels, also where it is never enough; the picture is kept in a PNG file.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        arguments = [browser(), *FLAGS, f"--user-data-dir={profile}", "--remote-debugging-port=0", "about:blank"]
        process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            return _looked(_page(Path(profile) / "DevToolsActivePort"), url, target, size, enough, seconds)
        finally:
            process.kill()
            process.wait()


def _page(said: Path) -> str:
    """Where the only page of a browser listens, once the browser has said its port."""
    until = time.monotonic() + 60.0
    while not said.exists() or len(said.read_text(encoding="utf-8").splitlines()) < 2:
        if time.monotonic() > until:
            msg = "the browser did not start within a minute"
            raise TimeoutError(msg)
        time.sleep(0.1)
    port = int(said.read_text(encoding="utf-8").splitlines()[0])
    with urlopen(f"http://127.0.0.1:{port}/json") as answer:
        pages = [each for each in json.load(answer) if each["type"] == "page"]
    return str(pages[0]["webSocketDebuggerUrl"])


def _looked(
    page: str,
    url: str,
    target: Path,
    size: tuple[int, int],
    enough: Callable[[NDArray[np.uint8]], bool],
    seconds: float,
) -> NDArray[np.uint8]:
    numbers = itertools.count(1)
    with connect(page, max_size=None) as wire:

        def ask(method: str, **parameters: Any) -> dict[str, Any]:
            number = next(numbers)
            wire.send(json.dumps({"id": number, "method": method, "params": parameters}))
            while (answer := json.loads(wire.recv(timeout=60.0))).get("id") != number:
                pass
            result: dict[str, Any] = answer["result"]
            return result

        width, height = size
        ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        ask("Page.navigate", url=url)
        until = time.monotonic() + seconds
        while True:
            time.sleep(LOOK_SECONDS)
            target.write_bytes(base64.b64decode(ask("Page.captureScreenshot")["data"]))
            pixels = (matplotlib.image.imread(target)[..., :3] * 255).round().astype(np.uint8)
            if enough(pixels) or time.monotonic() > until:
                return pixels


def colours(pixels: NDArray[np.uint8]) -> int:
    """How many different colours a picture has."""
    return len(np.unique(pixels.reshape(-1, 3), axis=0))


def green_share(pixels: NDArray[np.uint8]) -> float:
    """Share of pixels in the saturated green of what is materialised."""
    red, green, blue = (pixels[..., i].astype(np.int64) for i in range(3))
    return float(((green > red + 80) & (green > blue + 40)).mean())
