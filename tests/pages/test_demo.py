"""configs/browser.yaml and its page, at two sizes. With RUNNER_SCREENSHOTS=docs/images the pictures are kept."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.deployments import RUNNER
from tests.gateway.served import serving

CONFIGS = Path(__file__).parents[2] / "configs"
SIZES = {"wide": (1200, 800), "phone": (390, 844)}
DRAWN = """() => {
  const canvas = document.querySelector('canvas')
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
  return new Set(new Uint32Array(data.buffer)).size
}"""


@pytest.mark.usefixtures("browser")
def test_live_readings_and_a_slider(tmp_path: Path, browser: Any) -> None:
    (tmp_path / "browser").symlink_to(CONFIGS / "browser")
    text = (CONFIGS / "browser.yaml").read_text().replace("every_s: 0.5", "every_s: 0.1")
    kept = Path(os.environ.get("RUNNER_SCREENSHOTS", tmp_path))
    with serving(tmp_path, text, "--pages", str(CONFIGS / "browser")) as served:
        opened = subprocess.run(
            [*RUNNER, "--state", str(served.state), "open", "--app"], capture_output=True, text=True, check=True
        )
        pages = {}
        for name, (width, height) in SIZES.items():
            context = browser.new_context(viewport={"width": width, "height": height}, has_touch=name == "phone")
            page = pages[name] = context.new_page()
            errors: list[str] = []
            page.on("pageerror", lambda error, errors=errors: errors.append(str(error)))
            page.goto(opened.stdout.strip())
            page.locator("#state[data-state=joined]").wait_for(timeout=15_000)
            page.locator("#mean").filter(has_text=re.compile(r"\d")).wait_for(timeout=15_000)
            assert "token" not in page.url
        for name, page in pages.items():
            page.wait_for_timeout(2500 if "RUNNER_SCREENSHOTS" in os.environ else 300)
            assert page.evaluate(DRAWN) > 3, "nothing is drawn"
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it is wider than the screen"
            page.screenshot(path=str(kept / f"browser-{name}.png"))
            assert not errors
        pages["wide"].locator("#readings").fill("3")
        pages["wide"].locator("#readings").dispatch_event("change")
        pages["phone"].locator("#shown").filter(has_text="3").wait_for(timeout=15_000)
        for page in pages.values():
            page.context.close()
