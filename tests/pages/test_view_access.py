"""axe-core finds no serious fault of access in the web view: light and dark, wide and on a phone."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.served import Served
from tests.pages import test_view
from tests.pages.view import view

FLOW = test_view.FLOW
AXE = "axe-core@4.14.1"


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Its text, from the npm registry."""
    if shutil.which("npm") is None:
        pytest.skip("there is no npm here: apt-get install npm")
    folder: Path = tmp_path_factory.mktemp("axe")
    command = ["npm", "install", "--prefix", str(folder), "--ignore-scripts", "--no-audit", "--no-fund", AXE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        pytest.skip(f"{AXE} cannot be had: {done.stderr[-300:]}")
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text()


@pytest.mark.parametrize(
    ("scheme", "width", "tabs"),
    [("light", 1280, ("Figures", "Source", "Errors")), ("dark", 390, ("Messages", "Context", "Step", "Log"))],
)
def test_no_serious_fault(
    served: Served, browser: Any, axe: str, scheme: str, width: int, tabs: tuple[str, ...]
) -> None:  # fmt: skip
    served.call("sendMessage", "shop/parse", "in", {"value": 1})
    with view(served, browser, color_scheme=scheme, viewport={"width": width, "height": 800}) as it:
        it.page.evaluate(axe)
        found = _faults(it.page, "flows")
        it.open("shop", "parse")
        for tab in tabs:
            it.tab(tab).click()
            if tab == "Source":
                it.source("parse").wait_for()
                it.write("parse", "message.value * 2", "message.value * 3")
                it.page.get_by_role("region", name="what it makes of its messages").wait_for()
            found += _faults(it.page, tab)
        it.button("Draw").click()
        it.page.get_by_role("region", name="draw").get_by_role("button", name="Remove parse").wait_for()
        found += _faults(it.page, "drawing")
        it.button("Done").click()
        wide = it.page.evaluate("document.documentElement.scrollWidth")
    assert not found
    assert wide <= width  # nothing is beside the screen


def _faults(page: Any, where: str) -> list[tuple[str, str, str]]:
    said = page.evaluate("axe.run({resultTypes: ['violations']})")
    return [
        (where, fault["id"], node["html"][:200] + str(node.get("failureSummary"))[:300])
        for fault in said["violations"]
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]
