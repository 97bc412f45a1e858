"""Updates, rollbacks, pauses, steps, stops, breakpoints at random, over runners, against what has to come out."""

from __future__ import annotations

import random
import time
from pathlib import Path

from actors.console.client import RunnerClient
from tests.deployment import test_updates_together as together
from tests.deployment.test_several_runners import until
from tests.deployments import plant
from tests.links.plant import seed

TOTAL = 100_000
ACTIONS = 25


class Random:
    """Does one thing after the other; knows which version is to be there, and which there were."""

    def __init__(self, client: RunnerClient, rng: random.Random) -> None:
        self.client, self.rng = client, rng
        self.versions = ["v1"]  # by number
        self.broken = 0

    def update(self) -> None:
        name = f"v{len(self.versions) + 1}"
        document = together.flow(TOTAL, name)
        document["modules"]["two"]["isolated"] = self.rng.random() < 0.3  # another host
        assert self.client.add_or_update_flow(document)
        self.versions.append(name)

    def refused(self) -> None:
        document = together.flow(TOTAL, "never")
        place = self.rng.choice(["one", "two", "three"])
        document["modules"][place]["code"] += self.rng.choice(["def run(:", "\ndef start(c):\n    raise OSError('no')"])
        assert not self.client.add_or_update_flow(document)

    def back(self) -> None:
        if len(self.versions) > 1:
            assert self.client.rollback_flow("f")
            self.versions.append(self.versions[-2])

    def pause(self) -> None:
        assert self.client.pause_flow("f")
        for _ in range(self.rng.randrange(4)):
            for name, part in self.client.single_step_flow("f").items():
                assert len(part["inputStates"]) <= 1 and not part["errors"], (name, part)
        assert self.client.resume_flow("f")

    def breakpoint(self) -> None:
        place = f"f/{self.rng.choice(['one', 'two', 'three'])}"
        assert self.client.call("setBreakPointAtModule", place)
        time.sleep(self.rng.uniform(0, 0.05))  # hit or not
        assert self.client.call("removeBreakPointAtModule", place)
        assert self.client.resume_flow("f")

    def stop(self) -> None:
        assert self.client.stop_flow("f")
        assert self.client.start_flow("f")


def test_whatever_is_done_everything_arrives_once_and_in_order(tmp_path: Path) -> None:
    number = seed()
    print("seed", number)
    rng = random.Random(number)
    document = together.flow(TOTAL, "v1")
    with plant(tmp_path, **together.up_with(tmp_path, document)) as up:
        up.wait_until_up()
        with up.client() as client:
            until(lambda: together.done(client, "sum") > 100)
            it = Random(client, rng)
            done = 0
            while done < ACTIONS and together.done(client, "sum") < TOTAL - 10_000:  # all of it is to meet traffic
                done += 1
                action = rng.choice([it.update, it.update, it.refused, it.back, it.pause, it.breakpoint, it.stop])
                print(action.__name__)
                action()
                assert client.flow_state("f")["version"] == len(it.versions)
                time.sleep(rng.uniform(0, 0.1))
            assert done > 5, "this machine is too slow for so few messages"
            client.resume_flow("f")
            seen = together.check(up, client, TOTAL)
            expected = [name for at, name in enumerate(it.versions) if at == 0 or name != it.versions[at - 1]]
            left = iter(expected)
            assert all(name in left for name in seen), (seen, expected)
            assert seen[-1] == expected[-1]
        assert up.cli("down").returncode == 0
