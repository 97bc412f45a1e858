"""Of many cases a few by chance; the others with --full."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from typing import Any

import pytest


def some(cases: Sequence[tuple[Any, ...]], count: int) -> list[Any]:
    """Parameters for parametrize. Every process of one test run chooses the same."""
    chance = random.Random(os.environ.get("PYTEST_XDIST_TESTRUNUID"))
    chosen = chance.sample(range(len(cases)), count)
    return [pytest.param(*case, marks=() if at in chosen else pytest.mark.full) for at, case in enumerate(cases)]
