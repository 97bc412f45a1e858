"""Who looks on at a flow: they are told its figures as these change, and what happens to it.

All look at one picture, which is taken as often as the most eager wants it; without viewers nobody takes any. Whether
the flow is on one runner or on several is not known here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from thespian.actors import ActorAddress

from actors.messages import client_to_runner as api
from actors.messages.door_to_flow import ShowWhole
from actors.messages.runner_to_client import Notification
from actors.system.answers import Answers
from actors.system.port import Port

FIGURES, EVENT = "flowFigures", "flowEvent"
LEAST_EVERY_MS = 250
EARLY_S = 0.02  # a picture that is due so soon is shown now
State = dict[str, Any]
Picture = Callable[[Callable[[State], None]], None]  # gives the state of a flow to whoever wants it, now or later


@dataclass(slots=True)
class _Viewer:
    """A subscription: whose, how often it is told, and what it was told last."""

    request_id: str
    client: ActorAddress
    every_s: float
    next: float
    known: State = field(default_factory=dict)


class Viewers:
    """Of one flow. `receipt`: of its last update; `numbers`: what no two subscriptions at this door have."""

    def __init__(
        self, flow_id: str, port: Port, answers: Answers, picture: Picture, receipt: Callable[[], State | None],
        numbers: Iterator[int],
    ) -> None:  # fmt: skip
        self._flow_id, self._port, self._answers = flow_id, port, answers
        self._picture, self._receipt, self._numbers = picture, receipt, numbers
        self._viewers: dict[str, _Viewer] = {}
        self._seen: State | None = None  # the last picture
        self._letters = 0  # dead letters in the last one in which no runner was away
        self._looks = 0  # a timer that finds another number is too old

    def receiveMsg_Subscribe(self, message: api.Subscribe, sender: ActorAddress) -> None:
        """The answer is its id; what it is told comes after that."""
        subscription = f"{self._flow_id}/view-{next(self._numbers)}"
        every_s = max(LEAST_EVERY_MS, message.every_ms) / 1000
        self._viewers[subscription] = _Viewer(message.request_id, sender, every_s, time.monotonic())
        self._answers.reply(message, sender, subscription)
        self._look_in(0.0)

    def receiveMsg_Unsubscribe(self, message: api.Unsubscribe, sender: ActorAddress) -> None:
        """It is told nothing more."""
        if self._viewers.pop(message.subscription_id, None) is None:
            self._answers.refuse(message, sender, f"there is no subscription {message.subscription_id!r}")
        else:
            self._answers.reply(message, sender)

    def receiveMsg_ShowWhole(self, message: ShowWhole, sender: ActorAddress) -> None:
        """It has missed something: next time it is told everything."""
        if (viewer := self._viewers.get(message.subscription_id)) is not None:
            viewer.known = {}
        self._answers.reply(message, sender)

    def end_all(self) -> None:
        """The flow is gone."""
        for subscription in list(self._viewers):
            self._tell(subscription, EVENT, {"kind": "removed"})
        self._viewers.clear()

    def _look_in(self, seconds: float) -> None:
        self._looks += 1
        self._port.wakeupAfter(seconds, (self._look, self._looks))

    def _look(self, looks: int) -> None:
        if looks != self._looks:
            return
        if self._viewers:
            self._picture(self._show)
        else:
            self._seen = None

    def _show(self, state: State) -> None:
        now = time.monotonic()
        events = [] if self._seen is None else list(_events(self._seen, state, self._receipt()))
        if not state.get("away"):
            if self._seen is not None and state["deadLetters"] > self._letters:
                events.append({"kind": "deadLetters", "count": state["deadLetters"] - self._letters})
            self._letters = state["deadLetters"]
        self._seen = state
        for subscription, viewer in self._viewers.items():
            for event in events:
                self._tell(subscription, EVENT, event)
            if viewer.next <= now + EARLY_S:
                viewer.next = now + viewer.every_s
                whole = not viewer.known
                changed = state if whole else _changes(viewer.known, state)
                viewer.known = state
                self._tell(subscription, FIGURES, {"whole": whole, "state": changed})
        if self._viewers:
            self._look_in(max(0.0, min(viewer.next for viewer in self._viewers.values()) - time.monotonic()))

    def _tell(self, subscription: str, method: str, params: State) -> None:
        viewer = self._viewers[subscription]
        about = {"subscriptionId": subscription, "flowId": self._flow_id, "time": time.time(), **params}
        notification = Notification(
            request_id=viewer.request_id, subscription_id=subscription, method=method, params=about,
            whole=method == FIGURES and bool(params["whole"]),
        )  # fmt: skip
        self._port.send(viewer.client, notification)


def _changes(known: State, state: State) -> State:
    """What is not as it was, as a JSON merge patch (RFC 7396): of objects only that part, what is no more is null."""
    changed: State = {name: None for name in known.keys() - state.keys()}
    for name, value in state.items():
        before = known.get(name)
        if value == before and name in known:
            continue
        inner = isinstance(value, dict) and isinstance(before, dict)
        changed[name] = _changes(before, value) if inner else value  # type: ignore[arg-type]
    return changed


def _touched(receipt: State | None) -> State | None:
    """Of a receipt, the modules that were touched; how many others there are."""
    if receipt is None:
        return None
    modules = {name: row for name, row in receipt["modules"].items() if row["did"] != "untouched"}
    return {**receipt, "modules": modules, "untouched": len(receipt["modules"]) - len(modules)}


def _events(before: State, now: State, receipt: dict[str, Any] | None) -> Iterator[State]:
    """What has happened between two pictures."""
    if now["state"] != before["state"]:
        yield {"kind": "state", "state": now["state"], "errors": now["errors"]}
    if now["version"] != before["version"]:
        yield {"kind": "updated", "version": now["version"], "receipt": _touched(receipt)}
    if (paused := now["debug"]["pausedBy"]) != before["debug"]["pausedBy"]:
        yield {"kind": "resumed"} if paused is None else {"kind": "paused", "by": paused}
    for key, host in now["hosts"].items():
        starts = host["starts"] - before["hosts"].get(key, host)["starts"]
        if starts > 0:
            yield {"kind": "hostStarted", "host": key, "modules": host["modules"], "times": starts}
