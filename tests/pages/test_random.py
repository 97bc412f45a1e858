"""Pages of a flow over several runners under random events, while they ask: each gets every answer, in order, once."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from actors.console.client import RunnerClient
from tests.pages.browser import Page, page
from tests.pages.proxy import Proxy
from tests.pages.test_several_runners import CODE, Deployed, apply, asks, deploy, got, places
from tests.test_run import wait_for

MESSAGES = 60  # of each page beside each event


class Events:
    """What happens to the flow; each is over when it returns."""

    def __init__(self, chosen: random.Random, deployed: Deployed, client: RunnerClient, proxy: Proxy) -> None:
        self._chosen, self._deployed, self._client, self._proxy = chosen, deployed, client, proxy
        self._changes: dict[str, Any] = {}

    def one(self) -> str:
        """Do one; its name, and why it was refused."""
        does: Callable[[], Any] = self._chosen.choice([
            self._move, self._move, self._update, self._update, self._update, self._rollback, self._restart,
            self._drain, self._kill_host, self._cut, self._stop_and_start,
        ])  # fmt: skip
        result = does()
        return does.__name__ if result is None or result else f"{does.__name__}: {result.error}"

    def _move(self) -> Any:
        module = self._chosen.choice(["ask", "count", "answer"])
        return self._client.move_module(f"shop/{module}", self._chosen.choice(["server", "pages", "third"]))

    def _update(self) -> Any:
        module = self._chosen.choice(["ask", "count", "answer", "show"])
        if module == "answer":
            change: dict[str, Any] = {"code": CODE.format(version=self._chosen.randrange(99))}
        else:
            change = {"config": {"new": self._chosen.randrange(99)}}
        self._changes[module] = change
        return apply(self._client, **self._changes)

    def _rollback(self) -> Any:
        return self._client.rollback_flow("shop") if self._changes else None

    def _restart(self) -> Any:
        return self._client.restart_runner(self._chosen.choice(["server", "pages", "third"]))

    def _drain(self) -> Any:
        return self._client.drain_runner(self._chosen.choice(["server", "pages", "third"]))

    def _kill_host(self) -> None:
        pids = [host["pid"] for host in self._client.flow_state("shop")["hosts"].values() if host["pid"]]
        if pids:
            os.kill(self._chosen.choice(pids), signal.SIGKILL)

    def _cut(self) -> None:
        self._proxy.cut()
        self._proxy.mend()

    def _stop_and_start(self) -> Any:
        return self._client.stop_flow("shop") and self._client.start_flow("shop")


@contextmanager
def proxied(port: int) -> Iterator[Proxy]:
    proxy = Proxy(port)
    try:
        yield proxy
    finally:
        proxy.close()


def run_seed(seed: int, folder: Path, browser: Any, events: int) -> None:
    chosen = random.Random(seed)
    with ExitStack() as stack:
        deployed = stack.enter_context(deploy(folder))
        client = stack.enter_context(deployed.up.client())
        proxy = stack.enter_context(proxied(deployed.port))
        here = Page(deployed, browser)
        stack.callback(here.close)
        there = stack.enter_context(page(deployed, browser, address=f"http://127.0.0.1:{proxy.port}"))
        happen = Events(chosen, deployed, client, proxy)
        story: list[str] = []
        for at in range(events):
            for one, base in ((here, 0), (there, 10_000)):
                asks(one, range(base + MESSAGES * at, base + MESSAGES * (at + 1)))
            story.append(happen.one())
            for one, base in ((here, 0), (there, 10_000)):
                expected = [*range(base, base + MESSAGES * (at + 1))]
                assert got(one, len(expected)) == expected, (seed, story, one.do("[joined.state, events.slice(-9)]"))
        contexts = {one.name: {"n": MESSAGES * events} for one in (here, there)}
        wait_for(lambda: client.get_context("shop/count") == contexts)
        wait_for(lambda: all(row["balanced"] for row in client.audit().values()))
        assert len({places(client)[module] for module in ("ask", "count", "show")}) == 1
        here.do("joined.close()")


@pytest.mark.parametrize("seed", [1])
def test_a_seed(seed: int, tmp_path: Path, browser: Any) -> None:
    run_seed(seed, tmp_path, browser, 10)


@pytest.mark.full
@pytest.mark.timeout(0)
@pytest.mark.parametrize("seed", range(100, 140))
def test_many_seeds(seed: int, tmp_path: Path, browser: Any) -> None:
    run_seed(seed, tmp_path, browser, 15)
