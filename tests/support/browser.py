"""Pages of the UI as headless Chromium draws them."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import matplotlib.image
import numpy as np
from numpy.typing import NDArray

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
    # The page's clock runs ahead while nothing is loading, so that it has all of its data when it is drawn.
    "--virtual-time-budget=60000",
)


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


def colours(pixels: NDArray[np.uint8]) -> int:
    """How many different colours a picture has."""
    return len(np.unique(pixels.reshape(-1, 3), axis=0))


def green_share(pixels: NDArray[np.uint8]) -> float:
    """Share of pixels in the saturated green of what is materialised."""
    red, green, blue = (pixels[..., i].astype(np.int64) for i in range(3))
    return float(((green > red + 80) & (green > blue + 40)).mean())
