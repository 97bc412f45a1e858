"""kill -9 of a runner, its hosts, its journal, or of the dispatcher in every phase of an update of several, and when
some have been told that it stands and others not: wholly old or wholly new.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from actors.console.client import RunnerError
from tests import deployments
from tests.deployment.test_move_kills import PROGRAM, WITH_IT, in_parts
from tests.deployment.test_several_runners import until
from tests.deployment.test_updates_together import done, flow, up_with
from tests.deployments import plant
from tests.sample import some

SUM = """
import json
def run(m, context):
    if m == "report":
        raise ValueError(json.dumps([context.get("mixed"), context.get("wrong"), context.get("last")]))
    if len(set(m["way"])) != 1:
        context.set("mixed", m)
    if context.config["exact"] and m["n"] != context.get("n", -1) + 1:
        context.set("wrong", [context.get("n"), m])
    context.set("n", m["n"])
    context.set("last", m["way"][0])
"""
RUNNER_PHASES = ["trying", "loading", "draining", "stopping", "handing", "starting", "prepared", "finishing"]
FRONT_PHASES = ["preparing", "loading", "holding", "draining", "switching", "deciding", "committing"]
VICTIMS = [(name, phase) for name in ("a", "b") for phase in RUNNER_PHASES]
VICTIMS += [("dispatcher", phase) for phase in FRONT_PHASES]
CASES = [(*victim, durable) for victim in VICTIMS for durable in (False, True)]
CHILDREN = [
    (f"{what} of {name}", phase, True) for name in "ab" for phase in RUNNER_PHASES for what in ("host", "journal")
]
PARTS = [(victim, phase, more == "disk") for more, victim, phase in in_parts("ab")]
MORE = [pytest.param(*case, marks=pytest.mark.full) for case in (*CHILDREN, *PARTS)]


def document(version: str, durable: bool) -> dict[str, Any]:
    found = flow(10_000_000, version, durable=durable)
    found["modules"]["sum"] |= {"code": SUM, "config": {"exact": durable}}
    return found


def last_seen(client: Any) -> list[Any]:
    before = len(client.dead_letters("f"))
    until(lambda: bool(client.send_message("f/sum", "in", "report")))  # it may be full
    until(lambda: len(client.dead_letters("f")) > before)
    found: list[Any] = json.loads(client.dead_letters("f")[-1]["error"]["message"])
    return found


def passing(client: Any, count: int = 200) -> None:
    """So many more messages arrive."""
    before = done(client, "sum")
    until(lambda: done(client, "sum") > before + count or done(client, "sum") < before)
    until(lambda: done(client, "sum") > count)


@pytest.mark.parametrize(("victim", "phase", "durable"), [*some(CASES, 2), *MORE])
def test_wholly_old_or_wholly_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, victim: str, phase: str, durable: bool
) -> None:
    marker = tmp_path / "kill"
    program = [sys.executable, "-c", PROGRAM, victim, phase, str(marker)]
    with monkeypatch.context() as patched:
        patched.setattr(deployments, "RUNNER", program)
        ran = plant(tmp_path, **up_with(tmp_path, document("v1", durable)))
        up = ran.__enter__()
    try:
        up.wait_until_up()
        ok = False
        with up.client() as client:
            passing(client)
            marker.touch()
            with contextlib.suppress(RunnerError, OSError, TimeoutError):
                outcome = client.add_or_update_flow(document("v2", durable))
                ok = bool(outcome)
                print("ok" if ok else outcome.error)
            assert not marker.exists(), "nobody was killed"
            if victim not in WITH_IT:
                assert ok or not phase.startswith("told"), "it was decided"
                if phase in RUNNER_PHASES[:-1] and victim in ("a", "b"):
                    assert not ok
                wanted = "v2" if ok else "v1"
                until(lambda: client.flow_state("f")["state"] == "running")
                passing(client)
                assert last_seen(client) == [None, None, wanted]
                assert client.flow_state("f")["version"] == (2 if ok else 1)
                assert client.add_or_update_flow(document("v3", durable)), "the next one goes"
                passing(client)
                assert last_seen(client) == [None, None, "v3"]
                assert up.cli("down").returncode == 0
        if victim in WITH_IT:
            assert up.process.wait(60) != 0
    finally:
        ran.__exit__(*sys.exc_info())
    if victim in WITH_IT:  # the next start has what was decided, and goes on from what was kept
        with plant(tmp_path, **up_with(tmp_path, document("v1", durable))) as again:
            again.wait_until_up()
            with again.client() as client:
                passing(client)
                mixed, wrong, last = last_seen(client)
                if phase == "committing" or phase.startswith("told"):  # what was on its way is as in a stopped flow
                    assert (wrong, last) == (None, "v2")
                else:
                    assert (mixed, wrong, last) == (None, None, "v1")
            assert again.cli("down").returncode == 0
