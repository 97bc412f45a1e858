"""The tests of updates are worth something: whatever mechanism is switched off, one of them fails."""

from __future__ import annotations

import pytest

from tests.updates.mutations import MECHANISMS, notice


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_mechanism_that_is_off_is_noticed(mechanism: str) -> None:
    assert notice(mechanism)
