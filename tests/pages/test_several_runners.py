"""Pages of a flow over several runners: whatever happens to a runner, they go on, and get the answers to their own."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from actors.console.client import RunnerClient, RunnerError
from tests.deployments import Plant, plant
from tests.gateway.served import Served
from tests.pages.browser import Page, page
from tests.test_run import wait_for

CODE = "def run(message, context):\n    return [{version}, message, context.headers.get('client')]"
FLOW = {
    "id": "shop",
    "modules": {
        "ask": {
            "runtime": "browser", "window": True,
            "code": "export function start(context) { globalThis.ask = (value) => context.send('out', value) }",
        },
        "answer": {"runtime": "python3", "code": CODE.format(version=1)},
        "show": {"runtime": "browser", "window": True, "code": "(message) => { globalThis.seen.push(message) }"},
        "count": {
            "runtime": "browser",
            "code": "(message, context) => { context.set('n', context.get('n', 0) + 1); return message }",
        },
    },
    "wires": ["ask -> answer", "answer -> count", "count -> show"],
}  # fmt: skip
PLACE = {"*": "pages", "answer": "server"}


class Deployed(Served):
    """The gateway of a deployment, as that of one runner."""

    def __init__(self, up: Plant) -> None:
        self.up, self.state = up, up.state
        way_in = urlsplit(up.cli("open").stdout.strip())
        self.host, self.port = way_in.hostname or "", way_in.port or 0
        self.address = f"http://{self.host}:{self.port}"
        self.token = way_in.fragment.removeprefix("token=")
        self.client_token = (up.state / "gateway.client-token").read_text().strip()


@contextmanager
def deploy(folder: Path, durable: bool = False) -> Iterator[Deployed]:
    (folder / "shop.json").write_text(json.dumps({**FLOW, "durable": durable}))
    runners: dict[str, Any] = {"server": {}, "pages": {}, "third": {}}
    flows = [{"file": "shop.json", "place": PLACE}]
    with plant(folder, runners=runners, flows=flows, gateway={"listen": "127.0.0.1:0"}) as up:
        up.wait_until_up()
        yield Deployed(up)


@pytest.fixture
def durable() -> bool:
    return False


@pytest.fixture
def deployed(tmp_path: Path, durable: bool) -> Iterator[Deployed]:
    with deploy(tmp_path, durable) as found:
        yield found


def places(client: RunnerClient) -> dict[str, str]:
    return {name: its["runner"] for name, its in client.flow_state("shop")["modules"].items()}


def asks(one: Page, numbers: range) -> None:
    """The page asks on while something happens, with a pause between two. Whoever asks a flow that has stopped is told
    so, and asks once more.
    """
    one.do(
        """([first, last]) => { let n = first
          const next = async () => {
            try { if (n < last) { await ask(n); n++ } } catch (error) { if (error.name !== 'CreditError') throw error }
            if (n < last) setTimeout(next, 3)
          }
          next() }""",
        [numbers.start, numbers.stop],
    )  # fmt: skip


def got(one: Page, count: int) -> list[Any]:
    """What the page asked, in the order in which the answers came; each is its own."""
    seen = one.seen(count, 40)
    assert {client for _, _, client in seen} == {one.name}
    return [message for _, message, _ in seen]


@pytest.mark.parametrize("durable", [False, pytest.param(True, marks=pytest.mark.full)])
def test_moves_updates_and_a_restart(deployed: Deployed, browser: Any, durable: bool) -> None:
    """Nothing is lost or comes twice, and nothing goes to the other page."""
    with (
        deployed.up.client() as client,
        page(deployed, browser, "one") as one,
        page(deployed, browser) as other,
    ):
        steps: list[tuple[str, Any]] = [
            ("the server's module moves", lambda: client.move_module("shop/answer", "third")),
            ("the browser's modules move", lambda: client.move_module("shop/ask", "third")),
            ("and come back", lambda: client.move_module("shop/count", "pages")),
            ("an update of the server's", lambda: apply(client, durable, answer={"code": CODE.format(version=2)})),
            ("an update of the browser's", lambda: apply(client, durable, count={"config": {"new": 1}})),
            ("their runner restarts", lambda: client.restart_runner("pages")),
            ("the server's restarts", lambda: client.restart_runner("third")),
            ("their runner is drained", lambda: client.drain_runner("pages")),
        ]  # fmt: skip
        for at, (what, does) in enumerate(steps):
            for one_of, base in ((one, 0), (other, 10_000)):
                asks(one_of, range(base + 100 * at, base + 100 * (at + 1)))
            done = does()
            assert done, (what, done.error)
            for one_of, base in ((one, 0), (other, 10_000)):
                assert got(one_of, 100 * (at + 1)) == [*range(base, base + 100 * (at + 1))], what
        contexts = {name: {"n": 100 * len(steps)} for name in (one.name, other.name)}
        wait_for(lambda: client.get_context("shop/count") == contexts)
        at = places(client)
        assert len({at["ask"], at["count"], at["show"]}) == 1 and at["ask"] != "pages"
        wait_for(lambda: all(row["balanced"] for row in client.audit().values()))
        one.page.reload()  # its session is the same, whatever has happened
        one.join()
        assert one.name == "one"
        one.ask("again")
        assert got(one, 1) == ["again"]
        wait_for(lambda: client.get_context("shop/count@one") == {"n": 100 * len(steps) + 1})


def apply(client: RunnerClient, durable: bool = False, **changes: Any) -> Any:
    modules = {name: {**module, **changes.get(name, {})} for name, module in FLOW["modules"].items()}  # type: ignore[attr-defined]
    return client.add_or_update_flow({**FLOW, "modules": modules, "durable": durable})


@pytest.mark.parametrize("runner", ["pages", "server"])
def test_a_runner_that_is_killed(deployed: Deployed, browser: Any, runner: str) -> None:
    """The pages keep their names and contexts, and go on when it is there again."""
    with deployed.up.client() as client, page(deployed, browser) as one, page(deployed, browser) as other:
        names = one.name, other.name
        for each in (one, other):
            each.ask(*range(20))
            assert got(each, 20) == [*range(20)]
        before = next(row for row in client.list_runners() if row["name"] == runner)
        os.kill(before["pid"], signal.SIGKILL)
        wait_for(lambda: _is_again(client, before))
        for each in (one, other):
            wait_for(lambda: each.do("joined.state") == "joined")  # noqa: B023
            each.ask("after")
            assert got(each, 21)[-1] == "after"
        assert (one.do("joined.client"), other.do("joined.client")) == names
        wait_for(lambda: client.get_context("shop/count") == {name: {"n": 21} for name in names})


def _is_again(client: RunnerClient, before: dict[str, Any]) -> bool:
    row = next(row for row in client.list_runners() if row["name"] == before["name"])
    return row["state"] == "up" and row["pid"] != before["pid"]


def test_a_page_comes_while_the_runner_is_away(deployed: Deployed, browser: Any) -> None:
    """It joins when that is there, and is not turned away for good."""
    with deployed.up.client() as client:
        before = next(row for row in client.list_runners() if row["name"] == "pages")
        os.kill(before["pid"], signal.SIGKILL)
        with page(deployed, browser, "late") as one:
            one.ask(1)
            assert got(one, 1) == [1]
        wait_for(lambda: _is_again(client, before))


def test_browser_modules_are_on_one_runner(deployed: Deployed) -> None:
    with deployed.up.client() as client:
        refused = apply(client, ask={"runner": "third"}, show={"runner": "pages"})
        assert "the browser modules of a flow are on one runner" in refused.error
        assert apply(client, ask={"runner": "third"})
        at = places(client)
        assert (at["ask"], at["show"], at["count"], at["answer"]) == ("third", "third", "third", "server")
        python = {"runtime": "python3", "code": CODE.format(version=3)}
        assert apply(client, count=python)
        assert client.move_module("shop/count", "server")
        assert apply(client)  # it is a browser module again, and is where the others are
        assert set(places(client).values()) == {"third", "server"}
        assert places(client)["count"] == "third"
        assert client.rollback_flow("shop")
        assert client.rollback_flow("shop")
        with pytest.raises(RunnerError, match="no flow"):
            client.flow_state("other")
