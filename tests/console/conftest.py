"""One deployment for all tests of the command line; each test has flows of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deployments import Plant, plant


@pytest.fixture(scope="session")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    with plant(tmp_path_factory.mktemp("console")) as deployment:
        deployment.wait_until_up()
        yield deployment
