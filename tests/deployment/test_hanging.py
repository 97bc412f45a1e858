"""A runner that hangs is shown as away, ended, and started again; one whose machine was suspended is not."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from actors.deployment.pulse import HANGS_S, LOOK_S, SILENT_S, Pulses
from tests import deployments
from tests.deployment.test_several_runners import spread, until
from tests.deployments import Plant, plant

SHORT = """
import os, sys
from actors.deployment import hanging, pulse
from actors.runner.runner import RunnerActor
pulse.SILENT_S = hanging.SILENT_S = 1.5
pulse.HANGS_S = hanging.HANGS_S = 6.0
marker = sys.argv.pop(1)
original = RunnerActor.receiveMsg_ListRuntimes
def loop(self, message, sender):
    while os.path.exists(marker):
        pass
    original(self, message, sender)
RunnerActor.receiveMsg_ListRuntimes = loop
from actors.console.cli import main
sys.exit(main(sys.argv[1:]))
"""


DEAF = """
import sys
from thespian.system.multiprocCommon import MultiProcReplicator
MultiProcReplicator.signalChildDied = lambda self, _signal, _frame: None
from actors.console.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """While it is there, who asks for the runtimes sends the runner into an endless loop. Limits are short."""
    path = tmp_path / "loop"
    monkeypatch.setattr(deployments, "RUNNER", [sys.executable, "-c", SHORT, str(path)])
    return path


def has_logged(up: Plant, text: str) -> bool:
    return text in up.log.read_text()


def test_silence_counts_only_in_turns_of_who_listens() -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance, now = random.Random(seed), 100.0
    pulses = Pulses(now)
    assert pulses.look(now + LOOK_S) == [], "nobody has been heard of"
    now += LOOK_S
    assert not pulses.heard("a") and not pulses.heard("b")
    counted = 0.0
    said = []
    for _ in range(10_000):
        late = chance.random() < 0.5
        passed = chance.uniform(1.5, 100.0) if late else chance.uniform(0.4, 1.0) * LOOK_S
        now += passed
        counted += 0.0 if late else passed
        pulses.heard("b")
        found = pulses.look(now)
        said += [(verdict, counted) for name, verdict in found if name == "a"]
        assert not any(name == "b" for name, _ in found)
    [(first, after), (second, later)] = said
    assert first == "silent" and SILENT_S <= after < SILENT_S + LOOK_S
    assert second == "hangs" and HANGS_S <= later < HANGS_S + LOOK_S
    assert pulses.heard("a") and not pulses.heard("a")
    pulses.forget("a")
    assert [pulses.look(now + turn * LOOK_S) for turn in (1, 2, 3)] == [[], [], []]


def test_one_of_several_that_is_stopped(tmp_path: Path, marker: Path) -> None:
    """At once away in what is shown; then ended, and back. The others go on."""
    with plant(tmp_path, **spread(tmp_path, 1_000_000)) as up:
        facts = up.wait_until_up()
        assert not marker.exists()
        with up.client() as client:
            sum_ = lambda: client.flow_state("f")["modules"]["sum"]["completed"]  # noqa: E731
            until(lambda: sum_() > 1000)
            hung = facts["runners"]["big"]
            os.kill(hung, signal.SIGSTOP)
            state = client.flow_state("f")  # it waits, until the runner is known to be silent
            assert state["away"] == {"count": "big"} and "away" in state["state"]
            assert any("the runner big does not turn" in error for error in state["errors"])
            assert {row["name"]: row["state"] for row in client.call("listRunners")}["big"] == "away"
            assert {flow["id"]: flow["state"] for flow in client.list_flows()} == {"f": state["state"]}
            assert psutil.pid_exists(hung), "all this was said before it was ended"
            assert client.call("ping")
            until(lambda: has_logged(up, "is up again"))
            before = sum_()
            until(lambda: sum_() > before + 10_000)
            assert not client.flow_state("f")["away"]
            assert "its runner died" in client.flow_state("f")["lost"]
        log = up.log.read_text()
        assert f"the runner big ({hung}) hangs: it is ended" in log
        assert f"the runner big ({hung}) has hung and was ended, and with it" in log
        assert log.count("is up again") == 1 and f"the runner edge ({facts['runners']['edge']}) hangs" not in log
        assert up.cli("down").returncode == 0


def test_the_only_one_loops_for_ever(tmp_path: Path, marker: Path) -> None:
    """Again and again: that counts as deaths do, and ends it in time."""
    with plant(tmp_path, restart={"times": 1, "period_s": 600}) as up:
        facts = up.wait_until_up()
        marker.touch()
        with up.client() as client, pytest.raises(OSError, match="."):
            client.call("listRuntimes", timeout=60)
        until(lambda: has_logged(up, "is up again"))
        assert has_logged(up, f"the runner edge ({facts['runnerPid']}) hangs")
        with up.client() as client:
            assert client.list_flows()[0]["state"] == "running"
            with pytest.raises(OSError, match="."):
                client.call("listRuntimes", timeout=60)
        assert up.process.wait(60) == 1
        assert has_logged(up, "2 times in 600 s: it is not started again")


def test_a_machine_that_was_suspended_is_no_verdict(tmp_path: Path, marker: Path) -> None:
    with plant(tmp_path, **spread(tmp_path, 1_000_000)) as up:
        facts = up.wait_until_up()
        pids = up.pids()
        for asleep_s in (1.0, 7.0):
            random.shuffle(pids)
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            time.sleep(asleep_s)
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
            with up.client() as client:
                before = client.flow_state("f")["modules"]["sum"]["completed"]
                until(lambda: client.flow_state("f")["modules"]["sum"]["completed"] > before + 1000)  # noqa: B023
                assert {row["name"]: row["pid"] for row in client.call("listRunners")} == facts["runners"]
        log = up.log.read_text()
        assert "hangs" not in log and "has died" not in log and not marker.exists()
        assert up.cli("down").returncode == 0


def test_a_runner_that_hangs_does_not_hold_up_the_end(tmp_path: Path, marker: Path) -> None:
    with plant(tmp_path, **spread(tmp_path, 1_000_000)) as up:
        facts = up.wait_until_up()
        os.kill(facts["runners"]["third"], signal.SIGSTOP)
        assert up.cli("down").returncode == 1
        assert up.process.wait(60) == 1
        assert has_logged(up, "the runner third has died while it stopped: what was not durable of its flows is gone")
        assert not marker.exists()


@pytest.mark.full
def test_the_limits_as_they_are(tmp_path: Path) -> None:
    with plant(tmp_path, **spread(tmp_path, 1_000_000)) as up:
        facts = up.wait_until_up()
        os.kill(facts["runners"]["big"], signal.SIGSTOP)
        stopped = time.monotonic()
        until(lambda: has_logged(up, "has not turned for 3 s"))
        assert 2.0 < time.monotonic() - stopped < 5.0
        os.kill(facts["runners"]["big"], signal.SIGCONT)
        until(lambda: has_logged(up, "turns again"))
        os.kill(facts["runners"]["big"], signal.SIGSTOP)
        stopped = time.monotonic()
        until(lambda: has_logged(up, "hangs: it is ended"))
        assert 9.0 < time.monotonic() - stopped < 12.5
        until(lambda: has_logged(up, "is up again"))
        assert up.cli("down").returncode == 0


def test_a_death_of_which_thespian_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of one of two children that die at the same moment: it is started again all the same."""
    with monkeypatch.context() as patched:
        patched.setattr(deployments, "RUNNER", [sys.executable, "-c", DEAF])
        with plant(tmp_path, **spread(tmp_path, 10)) as up:
            facts = up.wait_until_up()
            pid = facts["runners"]["big"]
            known = {facts["pid"], facts["adminPid"], *facts["runners"].values()}
            children = psutil.Process(facts["dispatcherPid"]).children()
            [registry] = [child.pid for child in children if child.pid not in known]
            for victim in (registry, pid):
                os.kill(victim, signal.SIGKILL)
            with up.client() as client:
                rows = lambda: {row["name"]: row for row in client.call("listRunners")}  # noqa: E731
                until(lambda: rows()["big"]["state"] == "up" and rows()["big"]["pid"] != pid)
            until(lambda: has_logged(up, "the registry has died; it is started again"))
            up.process.send_signal(signal.SIGTERM)
            assert up.process.wait(60) == 0
