"""Numbers with their nouns."""

import re
from pathlib import Path

from actors.counted import counted

ROOT = Path(__file__).parents[1]


def test_one_and_many() -> None:
    assert [counted(n, "module") for n in (0, 1, 2, 1000)] == ["0 modules", "1 module", "2 modules", "1,000 modules"]


def test_no_sentence_of_the_runner_counts_a_plural_by_itself() -> None:
    """`%d messages` says "1 messages" some day."""
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in (ROOT / "actors").rglob("*.py")
        for line in path.read_text("utf-8").split("\n")
        if re.search(r"%d (modules|hosts|messages|flows|units|letters|lines)\b", line)
    ]
    assert not found, found
