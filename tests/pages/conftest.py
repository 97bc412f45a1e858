"""One browser for all tests of pages, and one flow for all tests of a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from tests.gateway.served import Served, serving
from tests.pages.browser import CHROMIUM, WHY_NOT, chromium


@pytest.fixture(scope="package")  # no other test has its processes beside it
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip(WHY_NOT)
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("pages"), request.module.FLOW) as found:
        yield found


@pytest.fixture(autouse=True)
def no_leaks(browser: Any) -> Iterator[None]:
    """As everywhere, but for what the browser begins and ends by itself, which are no children of ours."""
    assert browser.is_connected()
    me = psutil.Process()
    before = set(me.children())
    yield
    left = set(me.children()) - before
    for process in left:
        process.kill()
    assert not left, f"processes left behind: {left}"
