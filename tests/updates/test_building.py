"""Compiled runtimes and environments as a flow meets them; the toy runtime needs no compiler."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.messages import client_to_runner as api
from actors.preparation.actor import PreparationActor
from runtimes.environments import finished
from tests.harness import TOYS, Harness, on_phase, running

COUNT = """
def run(message, context):
    context.set("n", context.get("n", 0) + 1)
    return [VERSION, message, context.get("n")]
"""
ECHO = "def run(message, context):\n    return message\n"


@pytest.fixture
def toys(cache: Path, tmp_path: Path) -> Iterator[Harness]:
    assert not cache.exists()
    with running(tmp_path / "state") as harness:
        yield harness


def toy(code: str, **fields: Any) -> dict[str, Any]:
    return {"runtime": "toy", "code": code, **fields}


def count(version: int, head: str = "") -> str:
    return head + COUNT.replace("VERSION", str(version))


def flow(first: str, **fields: Any) -> dict[str, Any]:
    return {"id": "f", "modules": {"a": toy(first, **fields), "b": toy(ECHO)}, "wires": ["a -> b"]}


def compiled(tmp_path: Path) -> list[str]:
    log = tmp_path / "compiled"
    return log.read_text().split() if log.exists() else []


def preparation(harness: Harness) -> PreparationActor:
    return harness.actor(harness.actor(harness.runner).premises.preparation)


def test_an_update_compiles_with_nothing_paused_and_rollback_needs_no_compiler(
    toys: Harness, tmp_path: Path, gate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch = f"# compile: touch {tmp_path / 'compiled'}\n"
    toys.ok(api.AddOrUpdateFlow, flow=flow(count(1, touch)))
    out = toys.collect("f", "b")
    toys.start("f")
    toys.send("f/a", "x")
    toys.wait(lambda: len(out.got) == 1)
    phases: list[str] = []
    on_phase(monkeypatch, lambda _, phase: phases.append(phase))
    fields = {"request_id": "update", "flow": flow(count(2, f"{touch}# compile: read {gate}\n"))}
    toys.system.tell(toys.runner, api.AddOrUpdateFlow(**fields))
    toys.wait(lambda: len(compiled(tmp_path)) == 2, "the compiler")
    for n in range(5):  # it waits for the gate; the flow does not
        toys.send("f/a", n)
    toys.wait(lambda: len(out.got) == 6)
    assert phases == ["trying"]
    gate.write_text("go")
    reply = toys.wait(lambda: toys._take(lambda m: getattr(m, "request_id", "") == "update"), "the update")
    assert reply.ok, reply.error
    assert reply.receipt["modules"]["b"]["did"] == "carried"
    toys.send("f/a", "y")
    toys.wait(lambda: len(out.got) == 7)
    toys.ok(api.RollbackFlow, flow_id="f")
    toys.send("f/a", "z")
    toys.wait(lambda: len(out.got) == 8)
    assert out.got == [[1, "x", 1], *([1, n, n + 2] for n in range(5)), [2, "y", 7], [1, "z", 8]]
    assert len(compiled(tmp_path)) == 2
    assert len(finished(tmp_path / "cache", "builds")) == 2


@pytest.mark.parametrize("running_flow", [True, False])
def test_a_compile_error_has_the_users_place_and_changes_nothing(toys: Harness, running_flow: bool) -> None:
    toys.ok(api.AddOrUpdateFlow, flow=flow(count(1)))
    out = toys.collect("f", "b")
    toys.start("f")
    if not running_flow:
        toys.ok(api.StopFlow, flow_id="f")
    bad = flow("\n\ndef run(message, context:\n    return 1\n")
    for plan in (True, False):
        reply = toys.call(api.AddOrUpdateFlow, flow=bad, plan=plan)
        assert not reply.ok
        assert reply.error.startswith("f/a cannot be loaded: a:3:8: SyntaxError: '(' was never closed"), reply.error
    if not running_flow:
        toys.start("f")
    toys.send("f/a", 1)
    toys.wait(lambda: len(out.got) == 1)
    assert out.got == [[1, 1, 1]]


def test_a_flow_that_does_not_compile_does_not_start(toys: Harness) -> None:
    toys.ok(api.AddOrUpdateFlow, flow=flow("def run("))
    reply = toys.call(api.StartFlow, flow_id="f")
    assert not reply.ok
    assert "f/a cannot be loaded: a:1:8: SyntaxError" in reply.error
    assert toys.record("f").state == "stopped"
    assert all(toys.bridge("f", key).host is None for key in toys.record("f").bridges)
    toys.ok(api.AddOrUpdateFlow, flow=flow(count(1)))
    toys.start("f")


def test_two_that_ask_for_one_build_share_it(toys: Harness, tmp_path: Path, gate: Path) -> None:
    code = count(1, f"# compile: touch {tmp_path / 'compiled'}\n# compile: read {gate}\n")
    for name in ("one", "two"):
        toys.add(name, {"a": toy(code)})
        toys.system.tell(toys.runner, api.StartFlow(request_id=name, flow_id=name))
    toys.wait(lambda: compiled(tmp_path), "the compiler")
    assert [len(job.waiting) for job in preparation(toys).jobs.values()] == [2]
    gate.write_text("go")
    for name in ("one", "two"):
        assert toys.wait(lambda name=name: toys._take(lambda m: getattr(m, "request_id", "") == name)).ok
    assert len(compiled(tmp_path)) == 1


def test_a_restarted_host_has_the_same_build(toys: Harness) -> None:
    toys.ok(api.AddOrUpdateFlow, flow=flow(count(1)))
    out = toys.collect("f", "b")
    toys.start("f")
    toys.ok(api.AddOrUpdateFlow, flow=flow(count(2)))
    bridge = toys.bridge("f", "toy")
    toys.send("f/a", 1)
    toys.wait(lambda: len(out.got) == 1)
    bridge.host.kill()
    toys.wait(lambda: bridge.starts == 2, "the restart")
    toys.send("f/a", 2)
    toys.wait(lambda: len(out.got) == 2)
    assert out.got == [[2, 1, 1], [2, 2, 2]]


def test_the_state_of_a_flow_that_waits_for_the_compiler(toys: Harness, tmp_path: Path, gate: Path) -> None:
    code = count(1, f"# compile: touch {tmp_path / 'compiled'}\n# compile: read {gate}\n")
    toys.add("f", {"a": toy(code)})
    started = toys.post(api.StartFlow, flow_id="f")
    toys.wait(lambda: compiled(tmp_path), "the compiler to begin")
    state = toys.ok(api.FlowState, flow_id="f")
    assert state["state"] == "starting"
    assert state["hosts"] == {}
    assert toys.base.failures == 0
    gate.write_text("go")
    assert toys.reply(started).ok
    assert set(toys.ok(api.FlowState, flow_id="f")["hosts"]) == {"toy"}


def test_stopping_a_flow_that_waits_for_the_compiler_kills_it(toys: Harness, tmp_path: Path, gate: Path) -> None:
    code = count(1, f"# compile: touch {tmp_path / 'compiled'}\n# compile: read {gate}\n")
    toys.add("f", {"a": toy(code)})
    toys.system.tell(toys.runner, api.StartFlow(request_id="start", flow_id="f"))
    toys.wait(lambda: compiled(tmp_path), "the compiler")
    toys.ok(api.StopFlow, flow_id="f")
    reply = toys._take(lambda m: getattr(m, "request_id", "") == "start")
    assert not reply.ok
    assert reply.error == "f: the modules of toy could not be compiled: it was cancelled"
    toys.wait(lambda: not preparation(toys).commands, "the end of the compiler, and of what removes its folder")
    assert finished(tmp_path / "cache", "builds") == {}
    assert list((tmp_path / "cache" / "making").iterdir()) == []


def test_modules_with_other_dependencies_have_environments_of_their_own(toys: Harness, tmp_path: Path) -> None:
    look = "import toy_environment\nfrom pathlib import Path\n\n\ndef run(m, c):\n"
    look += "    return sorted(p.name + p.read_text() for p in Path(toy_environment.FOLDER).glob('*.txt'))\n"
    modules = {"a": toy(look, dependencies=["p=1"]), "b": toy(look, dependencies=["p=2", "q=3"])}
    toys.add("f", {**modules, "out": toy(ECHO)}, ["a -> out", "b -> out"])
    out = toys.collect("f", "out")
    toys.start("f")
    toys.send("f/a", None)
    toys.wait(lambda: len(out.got) == 1)
    toys.send("f/b", None)
    toys.wait(lambda: len(out.got) == 2)
    assert out.got == [["p.txt1"], ["p.txt2", "q.txt3"]]
    about = finished(tmp_path / "cache", "environments")
    assert sorted(a["locked"] for a in about.values()) == [["p=1.0"], ["p=2.0", "q=3.0"]]


def test_an_environment_that_cannot_be_made_is_a_sentence(toys: Harness) -> None:
    toys.add("f", {"a": toy(ECHO, dependencies=["missing=numpi"])})
    reply = toys.call(api.StartFlow, flow_id="f")
    assert not reply.ok
    assert "(missing=numpi) could not be prepared: there is no package numpi" in reply.error
    assert toys.record("f").state == "stopped"


def test_an_optional_module_waits_for_no_library(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of a compiled runtime whose library was never compiled is left out; once it was, it joins."""
    folder = tmp_path / "runtimes" / "slow"
    shutil.copytree(TOYS / "toy", folder)
    text = (folder / "runtime.yaml").read_text().replace("id: toy", "id: slow").replace("name: Toy", "name: Slow")
    (folder / "runtime.yaml").write_text(text.replace('prepare.py"]}', 'prepare.py"], always: true}'))
    monkeypatch.setenv("RUNNER_RUNTIMES", f"{TOYS}:{folder.parent}")
    modules = {"a": toy(ECHO), "b": {"runtime": "slow", "code": ECHO, "optional": True}}
    why = "the host of Slow is not compiled yet; do it with: runner deps install slow"
    with running(tmp_path / "state") as home:
        reply = home.call(api.AddOrUpdateFlow, flow={"id": "f", "modules": modules})
        assert reply.data == {"leftOut": {"b": why}}
        home.ok(api.InstallDependencies, runtime_id="slow", dependencies=[])
        reply = home.call(api.AddOrUpdateFlow, flow={"id": "g", "modules": modules})
        assert reply.data == {"leftOut": {}}
    assert len(finished(cache, "environments")) == 1


def test_builds_that_nobody_uses_do_not_pile_up(toys: Harness, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two used last stay, and what a flow uses however old it is."""
    monkeypatch.setattr("actors.preparation.environment_keeper.MAX_UNUSED_BUILDS", 2)
    toys.add("old", {"a": toy(count(0))})
    toys.start("old")
    (in_use,) = finished(cache, "builds")
    toys.ok(api.AddOrUpdateFlow, flow=flow(count(1)))
    toys.start("f")
    for version in range(2, 6):
        toys.ok(api.AddOrUpdateFlow, flow=flow(count(version)))
    left = finished(cache, "builds")
    assert in_use in left
    assert len(left) == 3
    toys.ok(api.RollbackFlow, flow_id="f", version=1)  # it is compiled again


def test_a_command_that_takes_too_long_is_killed(toys: Harness, gate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.preparation.actor.MAX_COMMAND_S", 0.3)
    toys.add("f", {"a": toy(count(1, f"# compile: read {gate}\n"))})
    reply = toys.call(api.StartFlow, flow_id="f")
    assert reply.error == "f: the modules of toy could not be compiled: it was killed: it took longer than 0.3 s"


def test_stopping_a_flow_cancels_its_update_too(toys: Harness, tmp_path: Path, gate: Path) -> None:
    toys.ok(api.AddOrUpdateFlow, flow=flow(count(1)))
    toys.start("f")
    slow = count(2, f"# compile: touch {tmp_path / 'compiled'}\n# compile: read {gate}\n")
    toys.system.tell(toys.runner, api.AddOrUpdateFlow(request_id="update", flow=flow(slow)))
    toys.wait(lambda: compiled(tmp_path), "the compiler")
    toys.ok(api.StopFlow, flow_id="f")
    reply = toys._take(lambda m: getattr(m, "request_id", "") == "update")
    assert reply.error == "f: the modules of toy could not be compiled: it was cancelled"
    assert toys.record("f").version == 1
    toys.start("f")


def test_a_command_that_leaves_a_child_that_prints_without_end(toys: Harness) -> None:
    """What is in the pipe when the command ends is read, and no more."""
    toys.ok(api.AddOrUpdateFlow, flow={"id": "f", "modules": {"a": toy(ECHO, dependencies=["prints=1"])}})
    toys.start("f")
    (environment,) = toys.ok(api.ListDependencies, runtime_id="toy")
    assert environment["state"] == "ready"
