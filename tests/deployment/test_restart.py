"""`runner restart`: a runner of several ends in order and comes back; the flow goes on as if nothing had been."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.deployment.test_several_runners import spread, until
from tests.deployments import Plant, plant

PACED = """
import json, time
def report(context):
    raise ValueError(json.dumps({key: context.get(key) for key in context.keys()}))


async def start(context):  # so many a second
    import asyncio
    begun, first = time.monotonic(), context.get("next", 0)
    while (number := context.get("next", 0)) < context.config["count"]:
        while number - first > (time.monotonic() - begun) * 5000:
            await asyncio.sleep(0.002)
        context.set("next", number + 1)
        yield number


def run(message, context):
    pass
"""
SUM_AND_GAP = """
import json, time
def run(message, context):
    if message == "report":
        raise ValueError(json.dumps({key: context.get(key) for key in context.keys()}))
    if message != context.get("last", -1) + 1:
        context.set("wrong", [context.get("last", -1), message])
    context.set("last", message)
    context.set("count", context.get("count", 0) + 1)
"""


def report(up: Plant, module: str) -> dict[str, Any]:
    """The context of a module: it fails with it."""
    with up.client() as client:
        before = len(client.dead_letters("f"))
        assert client.send_message(f"f/{module}", "in", "report")
        until(lambda: len(client.dead_letters("f")) > before)
        [letter] = [one for one in client.dead_letters("f") if one["flowModuleId"] == f"f/{module}"]
        found: dict[str, Any] = json.loads(letter["error"]["message"])
        return found


def paced(folder: Path, count: int) -> dict[str, Any]:
    """The flow of `spread`, 5,000 messages a second."""
    more = spread(folder, count)
    document = json.loads((folder / "f.json").read_text())
    document["modules"]["source"]["code"], document["modules"]["sum"]["code"] = PACED, SUM_AND_GAP
    (folder / "f.json").write_text(json.dumps(document))
    return more


def test_each_runner_is_restarted_while_messages_pass(tmp_path: Path) -> None:
    total = 60_000
    with plant(tmp_path, **paced(tmp_path, total)) as up:
        up.wait_until_up()
        with up.client() as client:
            for place, name in enumerate(("big", "edge", "third"), 1):
                sum_ = lambda: client.flow_state("f")["modules"]["sum"]["completed"]  # noqa: E731
                until(lambda: sum_() >= place * total // 16)  # noqa: B023
                done = up.cli("restart", name)
                assert (done.returncode, done.stdout) == (0, f"{name}: up again\n"), done.stderr
                assert place > 1 or sum_() < total
            until(lambda: sum_() == total)
        assert report(up, "sum") == {"last": total - 1, "count": total}
        assert report(up, "count") == {"count": total, "sum": total * (total - 1) // 2}
        assert report(up, "idle") == {"count": total, "sum": total * (total - 1) // 2}
        log = up.log.read_text()
        assert log.count("is up again") == 3 and "has died" not in log and "not acknowledged" not in log
        assert up.cli("down").returncode == 0


def test_what_cannot_be_restarted(tmp_path: Path) -> None:
    with plant(tmp_path, **spread(tmp_path, 5)) as up:
        up.wait_until_up()
        done = up.cli("restart", "bug")
        assert done.returncode == 1 and "there is no runner 'bug'; did you mean 'big'" in done.stderr
        done = up.cli("restart", "big", "--runner", "edge")
        assert done.returncode == 1 and "leave out --runner" in done.stderr
        assert up.cli("down").returncode == 0
    with plant(tmp_path) as up:
        up.wait_until_up()
        done = up.cli("restart", "edge")
        assert done.returncode == 1 and "is the only one" in done.stderr
        assert up.cli("down").returncode == 0
