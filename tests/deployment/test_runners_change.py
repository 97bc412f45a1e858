"""`runner up` of what is up changes its runners: new ones join, others are drained and end, or are started again."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from actors.console.client import RunnerClient
from actors.deployment.desired import DesiredFlow, DesiredState, LastTime
from tests.deployment.test_move import check, flow, up_with
from tests.deployment.test_several_runners import until
from tests.deployment.test_updates_together import done
from tests.deployments import Plant, gone, plant

MODULES = ("source", "one", "two", "sum")


def write(up: Plant, runners: dict[str, Any], place: dict[str, str], document: dict[str, Any] | None = None) -> None:
    """The deployment's file as it is to be."""
    if document is not None:
        (up.file.parent / "f.json").write_text(json.dumps(document))
    more = {"runners": runners, "flows": [{"file": "f.json", "place": place}]}
    up.file.write_text(json.dumps(json.loads(up.file.read_text()) | more))


def again(up: Plant, *words: str) -> dict[str, Any]:
    """`runner up` once more: what it says that it has done."""
    said = up.cli("up", str(up.file), "--json", *words)
    assert said.returncode == 0, said.stderr
    changes: dict[str, Any] = json.loads(said.stdout)
    return changes


def runners(client: RunnerClient) -> dict[str, int]:
    return {row["name"]: row["pid"] for row in client.list_runners()}


def places(client: RunnerClient) -> dict[str, str]:
    return {name: its["runner"] for name, its in client.flow_state("f")["modules"].items()}


def passes(client: RunnerClient) -> None:
    """Messages do."""
    before = done(client)
    until(lambda: done(client) > before)


def test_one_joins_one_ends_one_is_started_again_under_load(tmp_path: Path) -> None:
    with plant(tmp_path, **up_with(tmp_path, flow(rate=1000), source="a", one="b", two="b", sum="c")) as up:
        facts = up.wait_until_up()
        with up.client() as client:
            passes(client)
            write(up, {"a": {"runtimes": ["python3"]}, "c": {"runtimes": ["python3"]}, "d": {}},
                  {"source": "a", "one": "d", "two": "d", "sum": "c"})  # fmt: skip
            said = up.cli("up", str(up.file), "--plan").stdout.splitlines()
            assert said[0] == "the runner d: would be started"
            assert [line for line in said if line.startswith("  ")][:4] == [
                "  source: untouched", "  one: moved (from b to d)", "  two: moved (from b to d)", "  sum: untouched"
            ]  # fmt: skip
            assert said[-2:] == [
                "the runner a: would be started again (runtimes)", "the runner b: would be drained and ended",
            ]  # fmt: skip
            assert runners(client).keys() == {"a", "b", "c"} and places(client)["one"] == "b"

            did = again(up)
            assert did["runners"] == [
                {"runner": "d", "did": "start"}, {"runner": "a", "did": "restart"}, {"runner": "b", "did": "end"}
            ]  # fmt: skip
            assert [(one["flow"], one["did"]) for one in did["changes"]] == [("f", "update")]
            now = runners(client)
            assert now.keys() == {"a", "c", "d"} and gone([facts["runners"]["b"]])
            assert now["a"] != facts["runners"]["a"] and now["c"] == facts["runners"]["c"]
            assert places(client) == {"source": "a", "one": "d", "two": "d", "sum": "c"}
            assert {link["peer"] for row in client.list_runners() for link in row["links"]} <= {"a", "c", "d"}
            passes(client)
            assert again(up)["runners"] == [] and "nothing to change" in up.cli("up", str(up.file)).stdout
            check(up, client)
        assert up.cli("down").returncode == 0
        assert up.process.wait(60) == 0


def test_down_to_one_and_up_to_three(tmp_path: Path) -> None:
    """Contexts and queues go along; the next start has it so, too."""
    with plant(tmp_path, **up_with(tmp_path, flow(rate=500), source="a", one="b", two="b", sum="c")) as up:
        up.wait_until_up()
        with up.client() as client:
            passes(client)
            write(up, {"c": {"runtimes": ["python3"]}}, {})
            assert [one["did"] for one in again(up)["runners"]] == ["end", "end"]
            assert runners(client).keys() == {"c"} and set(places(client).values()) == {"c"}
            passes(client)
            write(up, {"c": {"runtimes": ["python3"]}, "a": {}, "b": {}}, {"*": "a", "two": "b"})
            assert [one["did"] for one in again(up)["runners"]] == ["start", "start"]
            assert places(client) == {"source": "a", "one": "a", "two": "b", "sum": "a"}
            passes(client)
            check(up, client)


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.full), pytest.param(3, marks=pytest.mark.full)])
def test_runners_at_random_under_load(tmp_path: Path, seed: int) -> None:
    """Whatever the files say, one after the other: so it is then, and every message has come once and in order."""
    chance = random.Random(seed)
    durable = chance.random() < 0.5
    document = flow(rate=1000, durable=durable)
    with plant(tmp_path, **up_with(tmp_path, document, source="a", one="b", two="b", sum="c")) as up:
        up.wait_until_up()
        with up.client() as client:
            for turn in range(4):
                names = chance.sample("abcdef", chance.randint(1, 4))
                there: dict[str, Any] = {
                    name: chance.choice([{}, {"runtimes": ["python3"]}, {"state": str(tmp_path / f"of-{name}")}])
                    for name in names
                }  # fmt: skip
                named = {module: chance.choice(names) for module in MODULES if chance.random() < 0.7}
                if chance.random() < 0.5:
                    document["modules"]["one"]["config"] = {"turn": turn}
                before = runners(client)
                write(up, there, named, document)
                did = again(up)
                now = runners(client)
                print(f"seed {seed}, turn {turn}: {sorted(there)} {named} {did['runners']}")
                assert now.keys() == there.keys()
                restarted = {one["runner"] for one in did["runners"] if one["did"] == "restart"}
                assert {name for name in now.keys() & before.keys() if now[name] != before[name]} == restarted
                assert named.items() <= places(client).items()
                passes(client)
            check(up, client)


def test_a_folder_that_changes_is_taken_along(tmp_path: Path) -> None:
    more = up_with(tmp_path, flow(rate=500), source="a", one="b", two="b", sum="c")
    with plant(tmp_path, **more) as up:
        up.wait_until_up()
        with up.client() as client:
            passes(client)
            changed = {"a": {}, "b": {"state": str(tmp_path / "other")}, "c": {"runtimes": ["python3"]}}
            write(up, changed, {"source": "a", "one": "b", "two": "b", "sum": "c"})
            assert [one["runner"] for one in again(up)["runners"]] == ["b"]
            assert (tmp_path / "other" / "kept" / "plant" / "b.incarnation").read_text() == "2"
            assert not (up.state / "kept" / "plant" / "b.incarnation").exists()
            passes(client)
            check(up, client)


def test_what_cannot_be_is_said_and_the_rest_is_as_it_was(tmp_path: Path) -> None:
    document = flow(rate=200)
    document["modules"]["js"] = {"runtime": "node", "code": "export default (m) => m"}
    more = up_with(tmp_path, document, source="a", one="b", two="b", sum="c", js="b")
    more["runners"] = {"a": {"runtimes": ["python3"]}, "b": {}, "c": {"runtimes": ["python3"]}}
    with plant(tmp_path, **more) as up:
        facts = up.wait_until_up()
        with up.client() as client:
            assert not (refused := client.restart_runner("nobody", changed=True)) and "runners.json" in refused.error
            assert not (refused := client.drain_runner("b", remove=True)) and "`runner up" in refused.error

            def refused_up(**named: Any) -> str:
                write(up, named, {"source": "a"} if "a" in named else {})
                said = up.cli("up", str(up.file))
                assert said.returncode == 1, said.stdout
                return said.stderr

            assert "there is no runtime 'node'" in refused_up(a={"runtimes": ["python3"]})
            one = client.list_flows()[0] | {"id": "by_hand"}
            one = {name: value for name, value in one.items() if name not in ("state", "wires")}
            one["modules"] = {"js": document["modules"]["js"]}
            assert (applied := client.add_or_update_flow(one)), applied.error
            write(up, {"a": {"runtimes": ["python3"]}, "c": {"runtimes": ["python3"]}}, {}, flow(rate=200))
            said = up.cli("up", str(up.file))  # the flow of the file may leave, the other may not
            assert said.returncode == 1 and "by_hand/js cannot leave b: no other runner offers node" in said.stderr
            assert runners(client) == facts["runners"]
            assert client.move_module("f/one", "b")  # it can be used again
            taken = tmp_path / "taken" / "kept" / "plant" / "c"
            taken.mkdir(parents=True)
            other = {"runtimes": ["python3"], "state": str(tmp_path / "taken")}
            assert "something is there" in refused_up(a={"runtimes": ["python3"]}, b={}, c=other)
            assert runners(client) == facts["runners"]
            assert not (refused := client.drain_runner("b", remove=True)) and "names the runner b" in refused.error
            passes(client)
            check(up, client)


def test_one_runner_alone_stays_alone(tmp_path: Path) -> None:
    with plant(tmp_path) as up:
        up.wait_until_up()
        up.file.write_text(json.dumps(json.loads(up.file.read_text()) | {"runners": {"edge": {}, "big": {}}}))
        said = up.cli("up", str(up.file))
        assert said.returncode == 1 and "the runner big is new" in said.stderr
        assert "started with one runner" in said.stderr and "nothing was changed" in said.stderr


def test_what_was_on_a_runner_that_no_file_names_any_more_begins_anew(tmp_path: Path) -> None:
    """After `up` was killed; the flow is one that no file names either."""
    module = {"runtime": "python3", "code": "def run(m, c): pass", "runner": "gone"}
    state = DesiredState(tmp_path / "deployment.json")
    state.put(DesiredFlow(document={"id": "f", "modules": {"a": module, "b": {**module, "runner": "here"}}}))
    after = DesiredState(tmp_path / "deployment.json")
    after.begin([], {"other": ("node",), "here": None}, LastTime(same=frozenset(), dropped=frozenset()))
    assert after.flows["f"].places == {"a": "here", "b": "here"}
