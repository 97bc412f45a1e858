"""What a clean end of a runner keeps, and how the next one goes on from it."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from actors.console.client import RunnerClient, RunnerError
from actors.flow.kept_file import KeptFlowError, read_kept
from actors.messages import client_to_runner as api
from tests.deployments import gone, plant
from tests.harness import Harness, need, running

COUNT = """
def run(message, context):
    if message == "bad":
        raise ValueError("a bad message")
    context.set("n", context.get("n", 0) + 1)
    return [message, context.get("n"), context.message_id]
"""
RELAY = "(message, context) => { context.set('n', context.get('n', 0) + 1); return message }"
# Every message has to be the next one: each number comes twice, and the wire's numbers have no gap.
CHECK = """
import time
def run(message, context):
    n = context.get("n", 0)
    if message == "report":
        return {"n": n, "wrong": context.get("wrong", [])}
    time.sleep(0.004)
    if message != n // 2 or context.message_id != f"twice.out->check.in#{n}":
        context.set("wrong", [*context.get("wrong", []), [n, message, context.message_id]])
    context.set("n", n + 1)
"""


def module(code: str, **more: Any) -> dict[str, Any]:
    return {"runtime": "python3", "code": code, **more}


class Life:
    """Runners of one deployment, one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.kept = folder, folder / "kept"

    def runner(self) -> Any:
        return running(self.folder / "state", self.kept)

    def files(self) -> list[str]:
        return sorted(path.name for path in self.kept.glob("*"))


@pytest.fixture
def life(tmp_path: Path) -> Life:
    return Life(tmp_path)


def figures(harness: Harness, name: str) -> dict[str, Any]:
    figures: dict[str, Any] = harness.state("f")["modules"][name]
    return figures


def test_queue_context_accounts_numbers_and_letters_go_on(life: Life) -> None:
    modules = {"a": module(COUNT)}
    with life.runner() as one:
        one.add("f", modules)
        one.start("f")
        one.send("f/a", "bad", 1, 2)
        one.wait(lambda: figures(one, "a")["completed"] == 2)
        one.ok(api.StopFlow, flow_id="f")
        one.send("f/a", 3, 4)
    assert life.files() == ["f.flow"]
    assert (life.kept / "f.flow").stat().st_mode & 0o777 == 0o600
    with life.runner() as two:
        two.add("f", modules)
        before = figures(two, "a")
        assert (before["accepted"], before["completed"], before["deadLettered"], before["queued"]) == (5, 2, 1, 2)
        (letter,) = two.ok(api.DeadLetters, flow_id="f")
        assert (letter["id"], letter["message"], letter["error"]["type"]) == ("f/1", "bad", "ValueError")
        assert life.files() == ["f.flow"]  # nothing has happened yet: a crash now costs nothing
        out = two.collect("f", "a")
        two.start("f")
        assert life.files() == []
        two.send("f/a", 5)
        two.wait(lambda: len(out.got) == 3)
        assert out.got == [[n, n, f"api->a.in#{n}"] for n in (3, 4, 5)]
        two.ok(api.ReplayDeadLetter, id="f/1")
        two.wait(lambda: two.state("f")["deadLetters"] == 1)
        assert two.ok(api.DeadLetters, flow_id="f")[0]["id"] == "f/2"


def test_nothing_is_kept_of_a_flow_that_has_done_nothing(life: Life) -> None:
    with life.runner() as one:
        one.add("f", {"a": module(COUNT)})
        one.start("f")
    assert life.files() == []


def test_without_a_folder_nothing_is_kept(tmp_path: Path) -> None:
    with running(tmp_path / "state") as one:
        one.add("f", {"a": module(COUNT)})
        one.send("f/a", 1)
        one.start("f")
    assert not list(tmp_path.rglob("*.flow"))


def test_a_removed_flow_starts_anew(life: Life) -> None:
    modules = {"a": module(COUNT)}
    with life.runner() as one:
        one.add("f", modules)
        one.send("f/a", 1)
    with life.runner() as two:
        two.add("f", modules)
        assert figures(two, "a")["queued"] == 1
        two.ok(api.RemoveFlow, flow_id="f")
        assert life.files() == []
        two.add("f", modules)
        assert figures(two, "a")["accepted"] == 0


def test_what_is_kept_of_a_flow_that_is_not_here_can_be_removed(life: Life) -> None:
    with life.runner() as one:
        one.add("f", {"a": module(COUNT)})
        one.send("f/a", 1)
    (life.folder / "out.flow").touch()
    with life.runner() as two:
        for name in ("g", "../out", "", ".", "f\0", "f/a", "x" * 200):
            assert "there is no flow" in two.call(api.RemoveFlow, flow_id=name).error
        two.ok(api.RemoveFlow, flow_id="f")
        assert life.files() == [] and (life.folder / "out.flow").exists()
        assert "there is no flow 'f'" in two.call(api.RemoveFlow, flow_id="f").error


def test_a_changed_flow_takes_over_as_an_update_does(life: Life) -> None:
    """Other code, a migrated context, a module that is gone: its queue becomes dead letters."""
    migrating = (
        COUNT + "def migrate(context, from_version):\n    context.set('n', context.get('n') + from_version * 10)\n"
    )
    with life.runner() as one:
        one.add("f", {"a": module(COUNT), "b": module(COUNT), "gone": module(COUNT)})
        one.start("f")
        one.send("f/a", 1)
        one.send("f/b", 1)
        one.wait(lambda: figures(one, "a")["completed"] == figures(one, "b")["completed"] == 1)
        one.ok(api.StopFlow, flow_id="f")
        for name in ("a", "b", "gone"):
            one.send(f"f/{name}", 2)
    with life.runner() as two:
        two.add("f", {"a": module(migrating, state_version=7), "b": module(COUNT + "# changed\n")})
        a, b = two.collect("f", "a"), two.collect("f", "b")
        two.start("f")
        two.wait(lambda: a.got and b.got)
        assert a.got == [[2, 12, "api->a.in#1"]]
        assert b.got == [[2, 2, "api->b.in#1"]]
        (letter,) = two.ok(api.DeadLetters, flow_id="f")
        assert (letter["flowModuleId"], letter["error"]["type"]) == ("f/gone", "ModuleRemoved")
        receipt = two.ok(api.LastReceipt, flow_id="f")
        assert receipt["modules"]["a"]["migrated"] and receipt["modules"]["b"]["did"] == "replaced"


def test_a_context_that_cannot_be_migrated_is_refused_and_stays(life: Life) -> None:
    with life.runner() as one:
        one.add("f", {"a": module(COUNT)})
        one.send("f/a", 1)
    kept = (life.kept / "f.flow").read_bytes()
    with life.runner() as two:
        flow = {"id": "f", "modules": {"a": module(COUNT, state_version=2)}}
        reply = two.call(api.AddOrUpdateFlow, flow=flow)
        assert not reply.ok
        assert "migrate" in reply.error
        assert f"still in {life.kept / 'f.flow'}" in reply.error
        assert two.ok(api.ListFlows) == []
        assert (life.kept / "f.flow").read_bytes() == kept
        two.add("f", {"a": module(COUNT)})  # as it was
        assert figures(two, "a")["queued"] == 1


@pytest.mark.parametrize("version", [1, 2], ids=["taken up", "refused"])
def test_requests_that_come_while_a_flow_is_taken_up(life: Life, version: int) -> None:
    """All get their answers, whether it goes on or not."""
    with life.runner() as one:
        one.add("f", {"a": module(COUNT)})
        one.send("f/a", 1)
    flow = {"id": "f", "modules": {"a": module(COUNT, state_version=version)}}
    with life.runner() as two:
        names = [
            two.post(api.AddOrUpdateFlow, flow=flow), two.post(api.StartFlow, flow_id="f"),
            two.post(api.SendMessage, flow_module_id="f/a", port="in", message=2), two.post(api.StopFlow, flow_id="f"),
            two.post(api.RemoveFlow, flow_id="f"), two.post(api.AddOrUpdateFlow, flow={**flow, "modules": {}}),
        ]  # fmt: skip
        replies = [two.reply(name) for name in names]
        expected = [True] * 6 if version == 1 else [False] * 4 + [True] * 2
        assert [reply.ok for reply in replies] == expected, [reply.error for reply in replies]
        assert version == 1 or "there is no flow 'f'" in replies[1].error


def test_a_damaged_file_is_refused_and_stays(life: Life) -> None:
    with life.runner() as one:
        one.add("f", {"a": module(COUNT)})
        one.send("f/a", 1)
    path = life.kept / "f.flow"
    whole = path.read_bytes()
    for size in range(0, len(whole), 7):  # however far a torn write came
        path.write_bytes(whole[:size])
        with pytest.raises(KeptFlowError):
            read_kept(path)
    with life.runner() as two:
        reply = two.call(api.AddOrUpdateFlow, flow={"id": "f", "modules": {"a": module(COUNT)}})
        assert not reply.ok and "still in" in reply.error
    assert path.exists()


def test_an_end_that_cannot_keep_says_so(tmp_path: Path) -> None:
    with plant(tmp_path) as up:
        up.wait_until_up()
        assert up.cli("send", "echo/a", "1").returncode == 0
        shutil.rmtree(up.state / "kept")
        (up.state / "kept").write_text("no folder")
        down = up.cli("down")
        assert (down.returncode, down.stdout) == (1, "") and "echo: lost, with " in down.stderr
        assert up.process.wait(60) == 1
        said = up.log.read_text()
        assert "echo: lost, with 0 messages" in said or "echo: lost, with 1 message:" in said


@pytest.mark.parametrize("signalled", [False, True], ids=["down", "signal"])
def test_a_full_disk_at_the_end_is_no_success(tmp_path: Path, signalled: bool) -> None:
    """The runner may write no file of more than 4 KiB: as on a full disk nothing of 293 messages can be kept."""
    with plant(tmp_path) as up:
        facts = up.wait_until_up()
        resource.prlimit(facts["runnerPid"], resource.RLIMIT_FSIZE, (4096, 4096))
        assert up.cli("stop", "echo").returncode == 0
        assert up.cli("send", "echo/a", "-", stdin=f'"{"x" * 100}"\n' * 293).returncode == 0
        if signalled:
            os.kill(up.process.pid, signal.SIGTERM)
        else:
            down = up.cli("down")
            assert (down.returncode, down.stdout) == (1, "")
            first, second = down.stderr.splitlines()
            assert first == "runner: plant is down, but not in order:"
            assert "echo: lost, with 293 messages: " in second and "File too large" in second
        assert up.process.wait(60) == 1
        assert "echo: lost, with 293 messages" in up.log.read_text()
        assert not list(up.state.rglob("*.unfinished"))
    with plant(tmp_path) as up:  # who has not asked `down` hears it now
        up.wait_until_up()
        assert ("the last time: echo: lost, with 293 messages" in up.log.read_text()) == signalled
        assert up.cli("down").returncode == 0


def test_what_a_kill_has_cost_is_said_at_the_next_start(tmp_path: Path) -> None:
    with plant(tmp_path) as up:
        pids = (up.wait_until_up(), up.pids())[1]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # some take others with them
                os.kill(pid, signal.SIGKILL)
        assert up.process.wait(60) == -signal.SIGKILL and gone(pids)
    for wanted in (True, False):  # it is said once
        with plant(tmp_path) as up:
            up.wait_until_up()
            said = f"plant, the last time: `runner up` ({pids[0]}) did not end in order; messages and contexts of its"
            assert (f"{said} flows (echo) may be lost" in up.log.read_text()) == wanted
            assert up.cli("down").returncode == 0


def test_the_state_of_a_runner_may_have_a_place_of_its_own(tmp_path: Path) -> None:
    with plant(tmp_path, runners={"edge": {"state": "./mine"}}) as up:
        up.wait_until_up()
        assert up.cli("send", "echo/a", "1").returncode == 0
        assert up.cli("down").returncode == 0
    assert (tmp_path / "mine" / "kept" / "plant" / "edge" / "echo.flow").exists()


def test_every_message_once_over_clean_ends_of_a_deployment(tmp_path: Path) -> None:
    """A client sends numbers through three hosts as fast as it can; the deployment is ended in the middle, twice."""
    need("node")
    flow = {
        "id": "f",
        "modules": {
            "relay": {"runtime": "node", "code": RELAY},
            "twice": module("def run(m, c):\n    c.send('out', m)\n    c.send('out', m)\n", isolated=True),
            "check": module(CHECK),
        },
        "wires": ["relay -> twice", "twice -> check"],
    }
    (tmp_path / "f.json").write_text(json.dumps(flow))
    accepted = 0
    for number in (signal.SIGTERM, signal.SIGINT):
        with plant(tmp_path, flows=[{"file": "f.json"}]) as up:
            up.wait_until_up()
            with up.client() as client, ThreadPoolExecutor(1) as pool:
                before = completed(client)
                sending = pool.submit(send_until_refused, client, accepted)
                while completed(client) <= before + 2:
                    assert up.process.poll() is None
                os.kill(up.process.pid, number)
                accepted = sending.result()
            assert up.process.wait(60) == 0
            said = up.log.read_text()
            assert "f: kept, with" in said and "f: kept, with 0 messages" not in said  # it was in the middle
    with plant(tmp_path, flows=[{"file": "f.json"}]) as up:
        up.wait_until_up()
        with up.client() as client:
            while completed(client) < 2 * accepted:
                assert up.process.poll() is None
            modules = client.flow_state("f")["modules"]
            for name, times in (("relay", 1), ("twice", 1), ("check", 2)):
                assert modules[name]["accepted"] == modules[name]["completed"] == times * accepted
            tap = client.tap_port("f/check")
            client.send_message("f/check", "in", "report")
            (report,) = client.read_tap(tap)["messages"]
            assert report["message"] == {"n": 2 * accepted, "wrong": []}


def completed(client: RunnerClient) -> int:
    """Messages that have come to their end in the last module."""
    number: int = client.flow_state("f")["modules"]["check"]["completed"]
    return number


def send_until_refused(client: RunnerClient, first: int) -> int:
    """Send first, first + 1, ...; returns the first number that was not taken."""
    for number in range(first, first + 100_000):
        try:
            if not client.send_message("f/relay", "in", number):
                return number
        except RunnerError:
            return number
    raise AssertionError("the deployment did not end")
