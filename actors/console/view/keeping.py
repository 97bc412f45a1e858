"""What was seen becomes a test in a flow file, as `--keep-as-test NAME --into FILE` does it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors.console.debug_text import value_text
from actors.console.errors import UserError
from actors.console.view.desk import Desk
from actors.console.view.picture import Picture

NAME_CHARACTERS = 60

Tests = Callable[[str], tuple[list[dict[str, Any]], list[str]]]  # by a name; and what is to be said of them


def ask_to_keep(desk: Desk, flow: str, suggested: str, tests: Tests) -> None:
    """Ask for a name, then for the file."""

    def named(name: str) -> None:
        desk.ask(
            "into the flow file", f"{flow}.yaml", lambda path: _keep(desk, Path(path.strip()), tests, name.strip())
        )

    desk.ask("keep as a test; its name", suggested, named)


def keep_port(desk: Desk, picture: Picture, place: tuple[str, str], messages: list[Any]) -> None:
    """What has left a port, and what the modules behind it make of it: that is found out, then it is asked as above."""
    from actors.console.keep_as_test import of_takers, takers_of  # runs flows

    def made(test: dict[str, Any]) -> None:
        suggested = f"{'.'.join(place)}: {value_text(messages[-1])}"[:NAME_CHARACTERS]
        ask_to_keep(desk, picture.flow, suggested, lambda name: ([{"name": name, **test}], []))

    try:
        takers = takers_of(picture.document, *place)
    except UserError as error:
        desk.say(str(error), "bad")
        return
    desk.say("what the modules behind it make of that is tried")
    desk.work(picture, lambda client: of_takers(client, picture.flow, takers, messages), made)


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
