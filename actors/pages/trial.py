"""The trial of browser modules: a page that is there loads them first. What no page has tried is taken as it is: one
that cannot load it keeps its old version.
"""

from __future__ import annotations

from typing import Any

import orjson
from thespian.actors import ActorAddress

from actors.host.trial import TrialActor
from actors.messages import flow_to_trial as from_flow
from actors.messages.trial_and_pages import PageTried, TryInPage
from actors.pages.host import PagesHost
from actors.system.job import Expect, Steps
from runtimes import host_bodies as bodies

PATIENCE_S = 10.0  # two of them have 4 s each


class PagesTrialActor(TrialActor):
    """Contexts are in the pages, too, which migrate them."""

    def _new_host(self, message: from_flow.RunTrial) -> Any:
        self.pages, self.windows = message.pages, message.windows
        return PagesHost(self, {}, lambda _host, _frame: None, self._take, self._exited)

    def _ask(self, what: str, slot: int, body: bytes) -> Steps:
        if what == "load" and slot in self.slots.values() and self.pages is not None:
            window = orjson.loads(body)["module"] in self.windows
            self.send(self.pages, TryInPage(number=slot, body=body, window=window))
            came = yield Expect([("tried", slot)], PATIENCE_S)
            tried = bodies.result(came.get(("tried", slot), b'{"ok":true}'), "load")
            if not tried.ok:
                return tried
        return (yield from super()._ask(what, slot, body))

    def receiveMsg_PageTried(self, message: PageTried, _sender: ActorAddress) -> None:
        """A page has loaded it, or not."""
        self.operation.resolve(("tried", message.number), message.body)

    def _end_trial(self, errors: tuple[str, ...]) -> None:
        self.load_ms = dict.fromkeys(self.load_ms, 0.0)  # it blocks no host of the runner
        super()._end_trial(errors)

    def _waited_s(self) -> float:
        return 0.0
