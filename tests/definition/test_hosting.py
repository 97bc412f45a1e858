"""What does not fit into the 16 bits of the link protocol is refused at load; an update takes another host in time."""

from __future__ import annotations

from typing import Any

import pytest

from actors.definition import hosting
from actors.definition.model import FlowError
from actors.definition.validation import check_flow
from actors.messages import client_to_runner as api
from tests.harness import Harness

CODE = "PORTS = ['p0', 'p1', 'p2', 'p3', 'p4', 'p5']\n\n\ndef run(m, c):\n    return m\n"


def flow(count: int, wires: list[Any] | None = None, text: str = "", **fields: Any) -> dict[str, Any]:
    modules = {f"m{i}": {"runtime": "python3", "code": CODE + text, **fields} for i in range(count)}
    return {"id": "f", "modules": modules, "wires": wires or []}


def test_a_flow_of_more_modules_than_there_are_slots() -> None:
    with pytest.raises(FlowError, match="the host python3 would have 65,536 modules, and a host takes 65,535"):
        check_flow(flow(65_536))


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosting, "MAX_NUMBERS", 5)


@pytest.mark.usefixtures("few")
def test_each_kind_of_number() -> None:
    many_in = [{"from": "m0.out", "to": f"m1.p{i}"} for i in range(6)]
    many_out = [{"from": f"m0.p{i}", "to": "m1"} for i in range(6)]
    for document, what in ((flow(6), "6 modules"), (flow(2, many_in), "6 input wires"), (flow(2, many_out), "6 out")):
        with pytest.raises(FlowError, match=what):
            check_flow(document)
    for document in (flow(5), flow(2, many_in[:5]), flow(2, many_out[:5]), flow(9, isolated=True)):
        check_flow(document)


@pytest.mark.usefixtures("few")
def test_an_update_that_finds_no_number_in_the_live_host_takes_a_new_one(runner: Harness) -> None:
    runner.ok(api.AddOrUpdateFlow, flow=flow(3, ["m0 -> m1"]))
    out = runner.collect("f", "m1")
    runner.start("f")
    runner.send("f/m0", 1)
    for version in range(3):
        host = runner.bridge("f", "python3").host.pid
        runner.ok(api.AddOrUpdateFlow, flow=flow(3, ["m0 -> m1"], f"# {version}\n"))
        assert runner.bridge("f", "python3").host.pid != host
        runner.send("f/m0", version)
    runner.wait(lambda: out.got == [1, 0, 1, 2])


@pytest.mark.usefixtures("few")
def test_a_message_by_one_port_too_many_is_refused(runner: Harness) -> None:
    runner.ok(api.AddOrUpdateFlow, flow=flow(1))
    runner.start("f")
    for number in range(5):
        runner.send(f"f/m0.p{number}", number)
    reply = runner.call(api.SendMessage, flow_module_id="f/m0", port="p5", message=5)
    assert not reply.ok and "too many input wires" in reply.error
    runner.send("f/m0.p0", 6)
    runner.wait(lambda: runner.state("f")["modules"]["m0"]["completed"] == 6)
