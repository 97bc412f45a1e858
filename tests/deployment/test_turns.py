"""What is asked of the same flow or runner at the same time: one thing after the other, and each answer is true."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors.deployment.front.turns import Turns
from actors.system.job import Expect, Operations, Steps
from tests.deployment import test_updates_together as together
from tests.deployment.test_several_runners import until
from tests.deployment.test_up_again import write
from tests.deployments import flow, plant


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Do all of these at the same time; returns what they return."""
    results: list[Any] = [None] * len(acts)

    def act(place: int) -> None:
        results[place] = acts[place]()

    threads = [threading.Thread(target=act, args=(place,)) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_several_flows_at_once_wait_for_nobody_that_waits_for_them() -> None:
    operations = Operations(lambda _seconds, _payload: None)
    turns = Turns(operations.resolve)
    under_way: list[str] = []
    done: list[str] = []

    def steps(name: str) -> Callable[[], Steps]:
        def run() -> Steps:
            assert all(not {*name} & {*other} for other in under_way), (name, under_way)
            under_way.append(name)
            yield Expect([name])
            under_way.remove(name)
            done.append(name)

        return run

    names = ["a", "ab", "b", "c", "bc", "", "abc", "d", "a"]
    for name in names:
        operations.begin(turns.of_all([*name], steps(name)), lambda _: None, lambda _: None)
    while under_way:
        operations.resolve(under_way[-1], None)
    assert sorted(done) == sorted(names) and not turns.flows
    assert [name for name in done if "b" in name] == ["ab", "b", "bc", "abc"]


def test_a_restart_and_updates_take_turns(tmp_path: Path) -> None:
    """Nobody is refused since another was faster, nothing is given up, and the last version is there."""
    total = 20_000
    with plant(tmp_path, **together.up_with(tmp_path, together.flow(total, "v1"))) as up:
        up.wait_until_up()
        with up.client() as client:
            until(lambda: together.done(client, "sum") > 100)

        def ask(method: str, *params: Any) -> Callable[[], Any]:
            def act() -> Any:
                with up.client() as client:
                    return client.call(method, *params, timeout=100)

            return act

        updates = [ask("addOrUpdateFlow", together.flow(total, f"v{number}")) for number in (2, 3)]
        restarts = [ask("restartRunner", name) for name in ("b", "a")]
        life = [ask("stopFlow", "f"), ask("startFlow", "f")]
        for outcome in (*at_once(*updates, *restarts), *at_once(*life, *restarts), ask("startFlow", "f")()):
            assert outcome, outcome.error
        with up.client() as client:
            assert client.flow_state("f")["version"] == 3
            seen = together.check(up, client, total)
            assert seen[-1] in ("v2", "v3") and len(seen) <= 3
            assert {row["name"]: row["incarnation"] for row in client.call("listRunners")} == {"a": 3, "b": 3, "c": 1}
        log = up.log.read_text()
        assert log.count("is up again") == 4 and "lost on the way" not in log
        assert up.cli("down").returncode == 0


def test_two_that_apply_their_files_at_once(tmp_path: Path) -> None:
    """One of them does, or one after the other; what is said is so."""
    slow = flow("slow", "import time\ntime.sleep(1)\n" + "def run(m, c): pass\n")
    write(tmp_path, "slow", slow)
    with plant(tmp_path) as up:
        up.wait_until_up()
        files = []
        for number in range(2):
            file = tmp_path / f"plant{number}.json"
            flows = [{"file": "echo.json"}, {"file": "slow.json"}]
            file.write_text(json.dumps({**json.loads(up.file.read_text()), "flows": flows}))
            files.append(file)
        done = at_once(*(lambda file=file: up.cli("up", str(file)) for file in files))
        assert sorted(one.returncode for one in done) == [0, 1], [one.stderr for one in done]
        for one in done:
            if one.returncode:
                assert "another `runner up` applies its files now" in one.stderr
            else:
                assert "slow: added, running" in one.stdout
        again = up.cli("up", str(files[0]))
        assert again.returncode == 0 and "nothing to change" in again.stdout
        assert up.cli("down").returncode == 0
        assert not up.folder.path.exists()
