"""Names that are not there: what there is, and what was probably meant; never silence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.console.test_cli import as_json, ok, refused, wait_for
from tests.deployments import Plant, flow


@pytest.mark.parametrize("verb", ["break", "unbreak", "context", "source", "send", "tap"])
@pytest.mark.parametrize("name", ["nope", "echo/nope"])
def test_a_module_that_the_only_flow_has_not(up: Plant, verb: str, name: str) -> None:
    more = ["1"] if verb == "send" else []
    said = refused(up, verb, name, *more)
    assert "echo" in said and "has no module 'nope'; " in said and said.endswith(" a\n")


def test_a_module_without_its_flow_where_there_are_several(up: Plant, tmp_path: Path) -> None:
    file = tmp_path / "second.json"
    file.write_text(json.dumps(flow("second")))
    ok(up, "apply", str(file))
    said = refused(up, "send", "a", "1", status=2)
    ok(up, "remove", "second")
    assert "FLOW/MODULE.PORT, not 'a'; flows here: echo, second" in said


FLOW_VERBS = ["state", "stop", "why", "pause", "versions", "rollback", "step", "remove", "console"]


@pytest.mark.parametrize("verb", FLOW_VERBS)
def test_a_file_or_a_module_in_place_of_a_flow(up: Plant, tmp_path: Path, verb: str) -> None:
    for name, text in (("f.yaml", "# mine\nid: shop\n"), ("f.json", '{"id": "shop"}')):
        (tmp_path / name).write_text(text)
        said = refused(up, verb, str(tmp_path / name), status=2)
        assert f"{str(tmp_path / name)!r} is a file; a flow goes by its `id`, here shop\n" in said
    assert "'f.yaml' is a file; a flow goes by its `id`\n" in refused(up, verb, "f.yaml", status=2)
    assert "'echo/a' is a module; a flow is wanted, such as echo\n" in refused(up, verb, "echo/a", status=2)


@pytest.mark.parametrize("verb", ["break", "context", "source", "tap", "logs"])
def test_a_file_in_place_of_a_module(up: Plant, tmp_path: Path, verb: str) -> None:
    file = tmp_path / "f.yaml"
    file.write_text("id: shop\n")
    for name in (str(file), f"{file}/a"):
        assert "is a file; a flow goes by its `id`, here shop\n" in refused(up, verb, name, status=2)


def test_a_port_may_be_called_like_a_suffix(up: Plant) -> None:
    assert "module 'a' has no in-port 'json'" in refused(up, "send", "a.json", "1")


def test_a_file_in_place_of_a_deployment(up: Plant, tmp_path: Path) -> None:
    file = tmp_path / "d.yaml"
    file.write_text("name: plant\n")
    assert "is a file; a deployment goes by its `name`, here plant\n" in refused(up, "down", str(file), status=2)


def test_the_log_of_a_module_that_is_not_there(up: Plant) -> None:
    assert "the flow 'echo' has no module 'nope'; it has a" in refused(up, "logs", "echo/nope")


def test_the_log_of_a_module_of_the_only_flow(up: Plant) -> None:
    ok(up, "send", "echo/a", '"bad"')
    while "echo/a: " not in ok(up, "logs", "a"):
        pass
    assert "there is no flow 'nope'; flows here: echo" in refused(up, "logs", "nope")


@pytest.mark.parametrize("verb", ["dead", "held", "deps"])
def test_an_action_that_is_left_out(up: Plant, verb: str) -> None:
    assert "{list," in refused(up, verb, status=2)


def test_a_dead_letter_of_the_only_flow_by_its_number(up: Plant) -> None:
    before = as_json(up, "dead", "list")
    ok(up, "send", "echo/a", '"bad"')
    wait_for(up, "echo", "deadLettered", len(before) + 1)
    (letter,) = [one for one in as_json(up, "dead", "list") if one not in before]
    number = letter["id"].partition("/")[2]
    assert ok(up, "dead", "show", number).startswith(f"{letter['id']}: echo/a.in")
    assert ok(up, "dead", "edit", number, "1").startswith(f"{letter['id']}: edited")
    assert ok(up, "dead", "replay", number) == f"{letter['id']}: sent again\n"
    assert f"there is no dead letter {letter['id']!r}" in refused(up, "dead", "drop", number)
