"""The same in Firefox."""

from __future__ import annotations

from tests.pages.test_firefox import browser, no_leaks  # noqa: F401  # fixtures
from tests.pages.test_kept import (  # noqa: F401
    FLOW,
    test_a_page_goes_between_two_writes,
    test_a_page_that_goes_on_beside_its_heir_does_nothing_more,
    test_what_cannot_be_written_leaves_nothing_old,
    test_what_was_there_is_there_until_all_of_the_new_is,
)
