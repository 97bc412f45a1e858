"""The one door of a deployment with several runners: every answer is of the whole."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
from pathlib import Path

import psutil
import pytest

from actors.console.client import RunnerClient, RunnerError
from tests.deployment.test_several_runners import RUNNERS, spread, until
from tests.deployments import Plant, gone, plant


def test_answers_are_of_the_whole(tmp_path: Path) -> None:
    with plant(tmp_path, **spread(tmp_path, 500)) as up:
        up.wait_until_up()
        with up.client() as client:
            assert client.runner is not None and client.runner.name == "plant"
            until(lambda: client.flow_state("f")["modules"]["sum"]["completed"] == 500)
            state = client.flow_state("f")
            assert {name: its["runner"] for name, its in state["modules"].items()} == {
                "source": "edge", "count": "big", "sum": "edge", "idle": "third"
            }  # fmt: skip
            assert all(its["host"] in state["hosts"] for its in state["modules"].values())
            assert (state["state"], state["away"]) == ("running", {})
            audit = client.audit()
            assert list(audit) == ["f/source", "f/count", "f/sum", "f/idle"]
            assert all(row["balanced"] and row["completed"] == 500 for id, row in audit.items() if id != "f/source")
            [flow] = client.list_flows()
            assert (flow["id"], flow["state"], flow["modules"]["count"]["runner"]) == ("f", "running", "big")
            assert [one["id"] for one in client.list_flows_for_runtime("python3")] == ["f"]
            assert {row["runner"] for row in client.list_runtimes()} == set(RUNNERS)
            with pytest.raises(RunnerError, match="there is no flow 'g'"):
                client.flow_state("g")


def test_a_message_a_tap_and_a_dead_letter_find_their_runner(tmp_path: Path) -> None:
    with plant(tmp_path, **spread(tmp_path, 5)) as up:
        up.wait_until_up()
        with up.client() as client:
            taps = [client.tap_port(f"f/{module}", "out") for module in ("count", "source")]
            assert [tap.rpartition("@")[2] for tap in taps] == ["big", "edge"]
            assert not (refused := client.send_message("f/nobody", "in", 1)) and "it has" in refused.error
            for module in ("sum", "count"):  # letters of two runners, each the first of its own
                assert client.send_message(f"f/{module}", "in", "report")
            until(lambda: len(client.dead_letters("f")) == 2)
            ids = {letter["id"]: letter["flowModuleId"] for letter in client.dead_letters("f")}
            assert ids == {"f/1@edge": "f/sum", "f/1@big": "f/count"}
            assert client.replay_dead_letter("f/1@big")
            until(lambda: {letter["id"] for letter in client.dead_letters("f")} == {"f/1@edge", "f/2@big"})
            assert not (refused := client.replay_dead_letter("f/1")) and "f/1@edge" in refused.error


def test_whoever_writes_a_flow_gets_what_its_runners_have(tmp_path: Path) -> None:
    with plant(tmp_path, **spread(tmp_path, 500)) as up:
        up.wait_until_up()
        with up.client() as client:
            until(lambda: client.flow_state("f")["modules"]["sum"]["completed"] == 500)
            found = client.call("shadowModule", "f/count", {}, 20, True)
            assert found["same"] == found["messages"] > 0
            saved = client.call("saveFlow", "f")
            assert saved["file"] is None and saved["text"].startswith("id: f\n")
            assert {"python3", "timer"} <= {one["name"] for one in client.call("listStarters")}


def kill(up: Plant, runner: str, pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    assert runner and up.process.poll() is None


def test_a_call_waits_for_a_runner_that_is_started_again(tmp_path: Path) -> None:
    with plant(tmp_path, **spread(tmp_path, 5)) as up:
        facts = up.wait_until_up()
        with up.client() as client:
            until(lambda: client.flow_state("f")["modules"]["sum"]["completed"] == 5)
            kill(up, "big", facts["runners"]["big"])
            state = client.flow_state("f")
            assert state["state"] == "running" and state["modules"]["count"]["completed"] == 0
            assert "what mailboxes and contexts held is gone" in state["lost"] and state["lost"].startswith("big: ")
            assert client.send_message("f/count", "in", 7)


def test_what_is_desired_stands_in_a_file_and_counts_versions(tmp_path: Path) -> None:
    more = spread(tmp_path, 5)
    file = tmp_path / "state" / "kept" / "plant" / "deployment.json"
    for version in (1, 1, 2):
        if version == 2:
            document = json.loads((tmp_path / "f.json").read_text())
            document["modules"]["source"]["config"]["count"] = 6
            (tmp_path / "f.json").write_text(json.dumps(document))
        with plant(tmp_path, **more) as up:
            up.wait_until_up()
            [flow] = json.loads(file.read_text())["flows"]
            assert (flow["version"], flow["running"]) == (version, True)
            assert flow["document"]["modules"]["count"]["runner"] == "big"
            with RunnerClient(state=up.state) as client:
                assert client.flow_state("f")["version"] == version
            assert up.cli("down").returncode == 0


def test_ps_shows_runners_and_links(tmp_path: Path) -> None:
    with plant(tmp_path, **spread(tmp_path, 10_000_000)) as up:
        facts = up.wait_until_up()
        with up.client() as client:
            links_up = lambda row: row["links"] and all(link["roundTripMs"] for link in row["links"])  # noqa: E731
            until(lambda: all(links_up(row) for row in client.list_runners()))
            rows = {row["name"]: row for row in client.list_runners()}
            assert {name: row["pid"] for name, row in rows.items()} == facts["runners"]
            assert all(row["flows"] == ["f"] and row["state"] == "up" for row in rows.values())
            links = {(row["name"], link["peer"]): link for row in rows.values() for link in row["links"]}
            assert links.keys() == {(one, other) for one in RUNNERS for other in RUNNERS if one != other}
            assert all(0 < link["roundTripMs"] < 10_000 and link["up"] for link in links.values())
            before = client.flow_state("f")["modules"]["count"]["completed"]
            until(lambda: client.flow_state("f")["modules"]["count"]["completed"] > before + 1000)
            links = {(row["name"], link["peer"]): link for row in client.list_runners() for link in row["links"]}
            assert links["edge", "big"]["outPerS"] > 0 and links["third", "big"]["inPerS"] > 0
            assert links["third", "big"]["outPerS"] == links["third", "edge"]["inPerS"] == 0
            kill(up, "big", facts["runners"]["big"])
            [away] = [row for row in client.list_runners() if row["name"] == "big"]
            assert (away["state"], away["pid"], away["flows"]) == ("away", None, ["f"])
            until(lambda: [row["incarnation"] for row in client.list_runners()] == [1, 2, 1])


def test_what_is_live_is_listed_not_refused(tmp_path: Path) -> None:
    """A deployment of three runners, and one of one; a verb that names a flow finds the one that has it."""
    other = {"name": "other", "runners": {"edge": {}}, "flows": [{"file": "echo.json"}]}
    (tmp_path / "other.json").write_text(json.dumps(other))
    with plant(tmp_path, **spread(tmp_path, 5)) as up:
        up.wait_until_up()
        assert up.cli("up", "-d", str(tmp_path / "other.json")).returncode == 0
        try:
            for verb in ("flows", "audit", "ps", "state", "runtimes"):
                shown = up.cli(verb)
                assert (shown.returncode, shown.stderr) == (0, ""), verb
                if verb != "runtimes":
                    assert {"echo", "f"} <= {*re.split(r"[\s:/,]+", shown.stdout)}, (verb, shown.stdout)
            assert [flow["runner"] for flow in json.loads(up.cli("flows", "--json").stdout)] == ["plant", "edge"]
            rows = json.loads(up.cli("audit", "--json").stdout)
            assert {id: row["runner"] for id, row in rows.items()} == {
                "f/source": "plant/edge", "f/count": "plant/big", "f/sum": "plant/edge", "f/idle": "plant/third",
                "echo/a": "edge",
            }  # fmt: skip
            assert len(json.loads(up.cli("state", "--json").stdout)) == 2
            assert up.cli("send", "echo/a", "1").returncode == 0
            assert up.cli("send", "f/count", "1").returncode == 0
            both = up.cli("flows", "--runner", "edge")  # of each deployment there is one
            assert both.returncode == 1 and "plant/edge" in both.stderr
            assert "FLOW  STATE" in up.cli("flows", "--runner", "plant/edge").stdout
        finally:
            assert up.cli("down", "other").returncode == 0


def test_more_at_a_time_than_may_be_on_their_way(tmp_path: Path) -> None:
    """Each is answered, beside others of the same runner and of all."""
    with plant(tmp_path, **spread(tmp_path, 5)) as up:
        up.wait_until_up()
        with up.client() as client:
            calls = [client.begin("sendMessage", flowModuleId="f/idle", message=number) for number in range(100)]
            calls += [client.begin("audit") for _ in range(5)]
            calls += [client.begin("sendMessage", flowModuleId="f/sum", message=number) for number in range(5, 50)]
            assert all(call.result(60) for call in calls)
            until(lambda: client.audit()["f/idle"]["completed"] == 105)


def test_who_has_asked_a_runner_that_dies_is_told(tmp_path: Path) -> None:
    with plant(tmp_path, **spread(tmp_path, 5)) as up:
        facts = up.wait_until_up()
        with up.client() as client:
            os.kill(facts["runners"]["third"], signal.SIGSTOP)
            calls = [client.begin("sendMessage", flowModuleId="f/idle", message=number) for number in range(3)]
            assert client.send_message("f/sum", "in", 5)  # what was asked before has been passed on
            kill(up, "third", facts["runners"]["third"])
            assert "has ended before it answered" in str(calls[0].result(60).error)
            assert all(call.result(60) for call in calls[1:])  # they were not on their way yet


def test_messages_of_a_client_keep_their_order(tmp_path: Path) -> None:
    """Though answers, which wait for the journal, come from the runner while more is on its way to it."""
    code = "import json\ndef run(m, c):\n    if m < 0:\n        raise ValueError(json.dumps(c.get('came')))\n"
    code += "    c.set('came', [*c.get('came', []), m])\n"
    flow = {"id": "f", "durable": True, "modules": {"x": {"runtime": "python3", "code": code}}}
    (tmp_path / "f.json").write_text(json.dumps(flow))
    flows = [{"file": "f.json", "place": {"x": "b"}}]
    with plant(tmp_path, runners={"a": {}, "b": {}}, flows=flows) as up:
        up.wait_until_up()
        with up.client() as client:
            for first in range(0, 400, 20):
                calls = [client.begin("sendMessage", flowModuleId="f/x", message=first + at) for at in range(20)]
                assert all(call.result(60) for call in calls)
            assert client.send_message("f/x", "in", -1)
            until(lambda: bool(client.dead_letters("f")))
            assert json.loads(client.dead_letters("f")[0]["error"]["message"]) == [*range(400)]


def open_of(pid: int) -> set[str]:
    """What a process has open, as the kernel names it."""
    found = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(str(fd.readlink()))
    return found


def test_a_runner_that_is_forked_later_has_nothing_of_the_door(tmp_path: Path) -> None:
    """Else its socket would take calls when the dispatcher is dead, and its folder would look owned."""
    with plant(tmp_path, **spread(tmp_path, 5)) as up:
        facts = up.wait_until_up()
        dispatcher = facts["dispatcherPid"]
        with up.client() as client:
            kill(up, "big", facts["runners"]["big"])
            until(lambda: all(row["state"] == "up" for row in client.list_runners()))
            again = next(row["pid"] for row in client.list_runners() if row["name"] == "big")
            sockets = {f"socket:[{inode}]" for inode in inodes_of("/api.sock")} & open_of(dispatcher)
            private = {*sockets, str(up.state / f"runs/{dispatcher}/lock")}
            assert len(sockets) >= 2 and private <= open_of(dispatcher)
            for pid in (again, *(pid for name, pid in facts["runners"].items() if name != "big")):
                assert not private & open_of(pid)
        pids = up.pids()
        os.kill(dispatcher, signal.SIGKILL)
        assert up.process.wait(60) != 0
        assert gone(pids)
        assert up.cli("flows").returncode == 1 and not list(up.state.glob("runs/*"))


def inodes_of(name: str) -> list[str]:
    """Of the sockets with such a name: those that listen, and those of their connections."""
    lines = Path("/proc/net/unix").read_text().splitlines()
    return [line.split()[6] for line in lines if line.endswith(name)]


def test_send_pipelines_and_says_how_many_were_taken(tmp_path: Path) -> None:
    with plant(tmp_path, **spread(tmp_path, 0)) as up:
        up.wait_until_up()
        lines = [str(number) for number in range(1000)]
        sent = up.cli("send", "f/sum", "-", stdin="\n".join(lines))
        assert (sent.returncode, sent.stdout) == (0, "1000 sent\n"), sent.stderr
        with up.client() as client:
            until(lambda: client.flow_state("f")["modules"]["sum"]["completed"] == 1000)
            assert client.get_context("f/sum") == {"last": 999, "count": 1000}  # in order: no "wrong"
        bad = up.cli("send", "f/sum", "-", stdin="\n".join([*lines[:5], "{bad", "6"]))
        assert bad.returncode == 2 and bad.stderr.startswith("runner: line 6: ") and "5 sent" in bad.stderr
        refused = up.cli("send", "f/nobody", "-", stdin="1\n")
        assert refused.returncode == 1 and "line 1: the flow 'f' has no module" in refused.stderr
        assert "0 sent" in refused.stderr
