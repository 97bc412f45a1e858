"""Ways back that begin elsewhere than in a plain update: rollbacks, pauses, breakpoints, other hosts and languages.

Also those of modules that only handle messages, in every language. What ran, ran as often as test_refused.py says.
"""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from actors.messages import client_to_runner as api
from tests.harness import Harness, need
from tests.updates.test_refused import ALL, FILES, FOLDER, SOURCES, Run, flow

BACK = ("start", "stop", "start")
HANDLERS = {**{runtime: name.replace("source", "handler") for runtime, name in FILES.items()},
            "ruby": "handler.rb", "php": "handler.php"}  # fmt: skip


def check_versions(run: Run, *events: tuple[int, str]) -> None:
    """Each source has sent every number once, its versions one after the other, the last of them still works."""
    run.more()
    run.runner.ok(api.PauseFlow, flow_id="f")
    live = events[-1][0]
    for source in SOURCES:
        versions, numbers = zip(*run.out[source].got, strict=True)
        assert list(numbers) == list(range(1, len(numbers) + 1)), source
        assert list(versions) == sorted(versions) and versions[-1] == live, source
        own = [[version, event] for version, event in events if event != "stop" or source == "hooked"]
        assert run.notes[source].got == own, source


@ALL
@pytest.mark.parametrize("context", ["current", pytest.param("snapshot", marks=pytest.mark.full)])
def test_a_rollback_to_what_starts_no_more(runner: Harness, runtime: str, context: str) -> None:
    run = Run(runner, flow(runtime, 1))
    runner.ok(api.AddOrUpdateFlow, flow=flow(runtime, 2))
    run.more()
    runner.record("f").versions[-1].share.modules["plain"].config["refuse"] = "start"
    reply = runner.call(api.RollbackFlow, flow_id="f", context=context)
    assert "f/plain start failed" in reply.error
    check_versions(run, (1, "start"), (1, "stop"), (2, "start"), (2, "stop"), (2, "start"))


@ALL
def test_a_rollback_to_what_cannot_migrate(runner: Harness, runtime: str) -> None:
    run = Run(runner, flow(runtime, 1))
    runner.ok(api.AddOrUpdateFlow, flow=flow(runtime, 2, state=2))
    run.more()
    runner.record("f").versions[-1].share.modules["hooked"].config["refuse"] = "starts"
    reply = runner.call(api.RollbackFlow, flow_id="f")
    assert "f/hooked migrate failed" in reply.error
    check_versions(run, (1, "start"), (1, "stop"), (2, "start"))


def test_a_rollback_to_nothing(runner: Harness) -> None:
    runner.ok(api.AddOrUpdateFlow, flow=flow("python3", 1))
    reply = runner.call(api.RollbackFlow, flow_id="f")
    assert reply.error == "f: there is no earlier version to go back to; kept are none"


@ALL
def test_a_paused_flow(runner: Harness, runtime: str) -> None:
    run = Run(runner, flow(runtime, 1))
    runner.ok(api.PauseFlow, flow_id="f")
    before = [len(run.out[source].got) for source in SOURCES]
    run.refuse(flow(runtime, 2, "plain", "start"), "f/plain start failed")
    runner.turn_for(0.1)
    assert [len(run.out[source].got) for source in SOURCES] == before
    runner.ok(api.ResumeFlow, flow_id="f")
    run.check(*BACK)


@ALL
def test_a_flow_that_is_stopped(runner: Harness, runtime: str) -> None:
    run = Run(runner, flow(runtime, 1))
    runner.ok(api.StopFlow, flow_id="f")
    run.refuse(flow(runtime, 2, "plain", "starts", state=2), "f/plain migrate failed")
    runner.start("f")
    run.check(*BACK)


def test_messages_at_a_breakpoint(runner: Harness) -> None:
    first, second = flow("python3", 1), flow("python3", 2, "plain", "start")
    for document in (first, second):
        document["modules"]["behind"] = {"runtime": "python3", "code": "def run(m, c):\n    return m\n"}
        document["wires"] = ["hooked -> behind"]
    run = Run(runner, first)
    runner.ok(api.SetBreakPointAtModule, flow_module_id="f/behind")
    runner.wait(lambda: runner.ok(api.ListHeld, flow_id="f"), "a message that is held")
    run.refuse(second, "f/plain start failed")
    runner.ok(api.RemoveBreakPointAtModule, flow_module_id="f/behind")
    runner.ok(api.ResumeFlow, flow_id="f")
    run.check(*BACK)


@ALL
def test_one_refusal_after_the_other(runner: Harness, runtime: str) -> None:
    run = Run(runner, flow(runtime, 1))
    for _ in range(2):
        run.refuse(flow(runtime, 2, "plain", "start"), "f/plain start failed")
        run.more()
    runner.ok(api.AddOrUpdateFlow, flow=flow(runtime, 3))
    check_versions(run, (1, "start"), (1, "stop"), (1, "start"), (1, "stop"), (1, "start"), (1, "stop"), (3, "start"))


@ALL
def test_new_hosts(runner: Harness, runtime: str) -> None:
    """Which are as if they had never been."""
    run, new = Run(runner, flow(runtime, 1)), flow(runtime, 2, "plain", "start")
    for module in new["modules"].values():
        module["env"] = {"OTHER": "1"}
    run.refuse(new, "f/plain start failed")
    run.check(*BACK)


@ALL
def test_a_host_of_another_language_has_begun_already(runner: Harness, runtime: str) -> None:
    """And what refuses is to be another language, too."""
    other = "node" if runtime == "python3" else "python3"
    run = Run(runner, flow(runtime, 1))
    new = flow(runtime, 2)
    new["modules"]["hooked"] = flow(other, 2, "hooked", "start")["modules"]["hooked"]
    run.refuse(new, "f/hooked start failed")
    run.check(*BACK)


@pytest.mark.parametrize("has_stop", [False, True])
@pytest.mark.parametrize("refuse", ["start", "die"])
@pytest.mark.parametrize("runtime", HANDLERS)
def test_modules_that_handle_messages(runner: Harness, runtime: str, refuse: str, has_stop: bool) -> None:
    need(runtime)
    name = HANDLERS[runtime]
    code = (FOLDER / name).read_text()
    code = code if has_stop else code.partition("STOP")[0].rstrip("#/; ")

    def version(number: int, refuse: str = "") -> dict[str, Any]:
        configs = {
            "one": {"version": number, "refuse": ""}, "two": {"version": number, "refuse": refuse},
            "same": {"version": 0, "refuse": ""},
        }  # fmt: skip
        modules = {m: {"runtime": runtime, "name": name, "code": code, "config": c} for m, c in configs.items()}
        return {"id": "f", "modules": modules, "wires": ["one -> two", "two -> same"]}

    runner.ok(api.AddOrUpdateFlow, flow=version(1))
    out = runner.collect("f", "same")
    runner.start("f")
    for number in range(40):
        runner.send("f/one", [number])
        if number == 20:
            reply = runner.call(api.AddOrUpdateFlow, flow=version(2, refuse))
            assert ("f/two start failed" if refuse == "start" else "died") in reply.error
    runner.wait_idle("f")
    assert out.got == [[0, 1, 1, number] for number in range(40)]
    for module in ("one", "two"):
        context = {key.decode(): orjson.loads(value) for key, value in runner.module("f", module).state.context.items()}
        assert context == {"n": 40, "starts": 2, **({"stops": 1} if has_stop else {})}
