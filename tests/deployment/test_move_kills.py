"""kill -9 of each runner, its hosts, its journal, and of the dispatcher in every phase of a move, and when some have
been told that it stands and others not: wholly there or wholly here.
"""

from __future__ import annotations

import contextlib
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from actors.console.client import RunnerError
from tests import deployments
from tests.deployment.test_move import check, done, flow, up_with
from tests.deployment.test_several_runners import until
from tests.deployments import plant

PROGRAM = """
import os, signal, sys
from actors.deployment.front.joint_update import JointUpdate
from actors.flow.update.update import Update
victim, phase, marker = sys.argv[1:4]
del sys.argv[1:4]
what, _, whose = victim.rpartition(" of ")
first = phase.split()[1:]  # "told a b": only they
def victims(pid):
    if not what:
        return [pid]
    if what == "agent":
        return [os.getppid()]
    own = open(f"/proc/{pid}/task/{pid}/children").read().split()
    word = b"host.py" if what == "host" else b"actors.journal"
    return [int(pid) for pid in own if word in open(f"/proc/{pid}/cmdline", "rb").read()]
def die(*pids):
    os.unlink(marker)
    for pid in [victim for pid in pids for victim in victims(pid)]:
        os.kill(pid, signal.SIGKILL)
def hook(kind, name_of):
    enter = kind.enter
    def entering(self, name):
        enter(self, name)
        if (name_of(self), name) == (whose, phase) and os.path.exists(marker):
            die(os.getpid())
    kind.enter = entering
hook(Update, lambda update: update._means.premises.name)
hook(JointUpdate, lambda _: "dispatcher")
telling = JointUpdate._telling
def in_parts(self, *, commit):
    if not (first and commit and os.path.exists(marker)):
        return (yield from telling(self, commit=commit))
    everybody, self._runners = self._runners, first
    replies = yield from telling(self, commit=True)
    pids = {name: self._whole.runners.all[name].pid for name in everybody} | {"dispatcher": os.getpid()}
    die(*(pids.values() if whose == "everybody" else [pids[whose]]))
    self._runners = [name for name in everybody if name not in first]
    replies |= yield from telling(self, commit=True)
    self._runners = everybody
    return replies
JointUpdate._telling = in_parts
from actors.console.cli import main
sys.exit(main(sys.argv[1:]))
"""
RUNNER_PHASES = ["trying", "loading", "draining", "stopping", "giving", "handing", "starting", "prepared", "finishing"]
FRONT_PHASES = ["preparing", "loading", "holding", "draining", "switching", "deciding", "committing"]
PLACES = {"source": "a", "one": "b", "two": "a", "sum": "b"}  # `one` moves from b to c; a has its neighbours
WITH_IT = ("dispatcher", "everybody")  # what the deployment ends with
ALWAYS = [("disk", "b", "finishing"), ("disk", "c", "finishing"), ("disk", "dispatcher", "committing")]


def in_parts(runners: str) -> list[tuple[str, str, str]]:
    """Of each set of them that alone has been told."""
    told = [" ".join(("told", *some)) for count in range(1, len(runners)) for some in combinations(runners, count)]
    victims = [f"{what}{name}" for what in ("", "host of ", "journal of ") for name in runners]
    found = [("disk", victim, phase) for victim in (*victims, *WITH_IT) for phase in told]
    return found + [("memory", victim, phase) for victim in (*runners, *WITH_IT) for phase in told]


def cases() -> list[Any]:
    found = [(more, name, phase) for more in ("memory", "disk") for name in "abc" for phase in RUNNER_PHASES]
    found += [(more, "dispatcher", phase) for more in ("memory", "disk") for phase in FRONT_PHASES]
    found += [("disk", f"host of {name}", phase) for name in "abc" for phase in RUNNER_PHASES if phase != "trying"]
    found += [("disk", f"journal of {name}", phase) for name in "abc" for phase in RUNNER_PHASES]
    found += in_parts("abc")
    return [case if case in ALWAYS else pytest.param(*case, marks=pytest.mark.full) for case in found]


def passing(client: Any, count: int = 200) -> None:
    """So many more messages arrive; after a death the count begins anew if the flow is not durable."""
    before = done(client)
    until(lambda: done(client) > before + count or done(client) < before)
    until(lambda: done(client) > count)


@pytest.mark.parametrize(("more", "victim", "phase"), cases())
def test_wholly_there_or_wholly_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str, victim: str, phase: str
) -> None:
    marker = tmp_path / "kill"
    settings = up_with(tmp_path, flow(rate=1000, **({"durable": True} if more == "disk" else {})), **PLACES)
    with monkeypatch.context() as patched:
        patched.setattr(deployments, "RUNNER", [sys.executable, "-c", PROGRAM, victim, phase, str(marker)])
        ran = plant(tmp_path, **settings)
        up = ran.__enter__()
    ok = False
    try:
        up.wait_until_up()
        with up.client() as client:
            passing(client)
            marker.touch()
            with contextlib.suppress(RunnerError, OSError, TimeoutError):
                outcome = client.call("moveModule", "f/one", "c")
                ok = bool(outcome)
                print("ok" if ok else outcome.error)
            assert not marker.exists(), "nobody was killed"
            if victim not in WITH_IT:
                assert ok or not phase.startswith("told"), "it was decided"
                until(lambda: client.flow_state("f")["state"] == "running" and not client.flow_state("f")["away"])
                place = client.flow_state("f")["modules"]["one"]["runner"]
                assert place == ("c" if ok else "b")
                passing(client)
                if more == "disk":
                    again = client.call("moveModule", "f/one", "a")
                    assert again, again.error
                    passing(client)
                    check(up, client)
                else:
                    assert client.call("moveModule", "f/one", "b" if ok else "c"), "the next one goes"
                    passing(client)
                assert up.cli("down").returncode == 0
        if victim in WITH_IT:
            assert up.process.wait(60) != 0
    finally:
        ran.__exit__(*sys.exc_info())
    if victim in WITH_IT:  # the next start goes on from what was decided
        with plant(tmp_path, **settings) as up:
            up.wait_until_up()
            with up.client() as client:
                passing(client)
                decided = phase == "committing" or phase.startswith("told")
                assert client.flow_state("f")["modules"]["one"]["runner"] == ("c" if decided else "b")
                if more == "disk":
                    check(up, client)
            assert up.cli("down").returncode == 0
