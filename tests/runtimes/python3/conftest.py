"""A host for each test; `both`: with each JSON library."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

import pytest

from tests.runtimes.python3.host import Host


@pytest.fixture
def folder() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as path:
        yield path


@pytest.fixture(params=["orjson", "stdlib"])
def both(request: pytest.FixtureRequest, folder: str) -> Iterator[Host]:
    host = Host(folder, request.param)
    yield host
    host.close()


@pytest.fixture
def host(folder: str) -> Iterator[Host]:
    host = Host(folder)
    yield host
    host.close()
