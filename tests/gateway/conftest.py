"""One flow that is served, for all tests of a file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gateway.served import Served, serving


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("served")) as found:
        yield found
