"""What was seen becomes a test in a flow file, as `--keep-as-test NAME --into FILE` does it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors.console.errors import UserError
from actors.console.view.desk import Desk

Tests = Callable[[str], tuple[list[dict[str, Any]], list[str]]]  # by a name; and what is to be said of them


def ask_to_keep(desk: Desk, flow: str, suggested: str, tests: Tests) -> None:
    """Ask for a name, then for the file."""

    def named(name: str) -> None:
        desk.ask(
            "into the flow file", f"{flow}.yaml", lambda path: _keep(desk, Path(path.strip()), tests, name.strip())
        )

    desk.ask("keep as a test; its name", suggested, named)


def _keep(desk: Desk, path: Path, tests: Tests, name: str) -> None:
    from actors.console.kept_tests import TestFile  # reads and writes YAML

    try:
        made, notes = tests(name)
        if not path.is_file():
            raise UserError(f"there is no flow file {str(path)!r} in {Path.cwd()}")
        file = TestFile(path)
        for test in made:
            file.add(test)
        file.save()
    except (UserError, OSError, ValueError) as error:
        desk.say(str(error), "bad")
        return
    said = f"{path.name}: {', '.join(repr(test['name']) for test in made)} added"
    desk.say(f"{said}; a test begins with an empty context, here was one" if notes else said, "warn" if notes else "")
