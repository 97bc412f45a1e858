"""The place of an error of inline code, wherever a program finds the error: at the error port, in a step."""

from __future__ import annotations

from actors.messages import client_to_runner as api
from tests.harness import Harness

CODE = "def run(m, c):\n    raise ValueError(m)\n"
ORIGIN = {"file": "x/f.yaml", "code": {"a": {"line": 7, "columns": 6}}}


def test_at_the_error_port_and_in_a_step(runner: Harness) -> None:
    take = {"runtime": "python3", "code": "def run(m, c):\n    return m\n", "isolated": True}
    modules = {"a": {"runtime": "python3", "code": CODE}, "b": take}
    runner.add("f", modules, ["a.error -> b"], origin=ORIGIN)
    out = runner.collect("f", "b")
    runner.start("f")
    runner.send("f/a", 1)
    runner.wait(lambda: out.got)
    error = out.got[0]["error"]
    assert (error["file"], error["line"]) == ("x/f.yaml", 8)
    assert 'File "x/f.yaml", line 8, in run' in error["stack"]
    runner.ok(api.PauseFlow, flow_id="f")
    runner.send("f/a", 2)
    (error,) = runner.ok(api.SingleStepFlow, flow_id="f")["f/a"]["errors"]
    assert (error["file"], error["line"]) == ("x/f.yaml", 8)


def test_it_moves_with_the_file(runner: Harness) -> None:
    """An update that changes nothing but the place."""
    modules = {"a": {"runtime": "python3", "code": CODE}}
    runner.add("f", modules, origin=ORIGIN)
    runner.start("f")
    runner.add("f", modules, origin={"file": "y.yaml", "code": {"a": {"line": 3}}})
    assert runner.ok(api.LastReceipt, flow_id="f")["modules"]["a"]["did"] == "untouched"
    runner.send("f/a", 1)
    (letter,) = runner.wait(lambda: runner.ok(api.DeadLetters, flow_id="f"))
    assert (letter["error"]["file"], letter["error"]["line"]) == ("y.yaml", 3)


def test_an_origin_that_a_client_made_up_is_checked(runner: Harness) -> None:
    modules = {"a": {"runtime": "python3", "code": CODE}}
    for origin in (
        1,
        {},
        {"file": 1, "code": {}},
        {"file": "x", "code": {"a": [1]}},
        {"file": "x", "code": {"a": {"line": 0}}},
    ):
        flow = {"id": "f", "modules": modules, "origin": origin}
        assert "origin" in str(runner.call(api.AddOrUpdateFlow, flow=flow).error)
    runner.add("f", modules, origin={"file": "x", "code": {"nobody": {"line": 1}}})
