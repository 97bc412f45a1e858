"""What is live, as it is told: a thread for each runner or deployment keeps the pictures of its flows."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actors.console.client import Outcome, RunnerClient, RunnerError
from actors.console.live_runners import LiveRunner, doors, live_runners
from actors.console.view.picture import Picture
from actors.counted import counted

LOOK_S = 1.0  # for flows that have come, for what runners say of themselves
ANSWER_S = 5.0
MAX_EVENTS = 500
TOGETHER_S = 30.0  # so long dead letters are one event, which grows


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that was told, or has befallen a runner. `time`: seconds since the epoch; `letters`: dead ones."""

    time: float
    flow: str
    text: str
    letters: int = 0


def add_happening(all: deque[Happening], one: Happening) -> None:
    """Where there are dead letters without end, what else has happened stays to be seen."""
    last = all[-1] if all else None
    if (
        last is not None
        and one.letters
        and last.letters
        and last.flow == one.flow
        and one.time - last.time < TOGETHER_S
    ):
        letters = last.letters + one.letters
        all[-1] = Happening(last.time, one.flow, _letters_text(letters), letters)
    else:
        all.append(one)


def _letters_text(count: int) -> str:
    return f"{counted(count, 'dead letter')} more"


class DoorWatch:
    """One runner, or deployment; `ended` says since when there is none, `silent` why it does not answer just now."""

    def __init__(
        self, live: LiveRunner, state: str | Path | None, every_ms: int, happened: Callable[[Happening], None]
    ) -> None:
        self.live, self._state, self._every_ms, self._happened = live, state, every_ms, happened
        self.pictures: dict[str, Picture] = {}
        self.runners: list[dict[str, Any]] = []
        self.client: RunnerClient | None = None
        self.ended: str | None = None
        self.silent: str | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch-{live.name}", daemon=True)

    def start(self) -> None:
        """Begin to look, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; it ends by itself."""
        self._stop.set()

    def _run(self) -> None:
        try:
            with RunnerClient(socket=self.live.socket) as client:
                client.on_notification = self._told
                self.client = client
                while not self._stop.is_set():
                    self._look(client)
                    self._stop.wait(LOOK_S)
        except (RunnerError, OSError) as error:
            self._end(str(error))

    def _end(self, why: str) -> None:
        self.client = None
        self.ended = f"ended at {time.strftime('%H:%M:%S')}"
        if any(live.socket == self.live.socket for live in live_runners(self._state)):
            self.ended = f"not reached: {why}"
        for picture in self.pictures.values():
            picture.ended = picture.ended or self.ended
        self._say("", f"the runner {self.live.name} ({self.live.pid}): {self.ended}")

    def _look(self, client: RunnerClient) -> None:
        try:
            self.runners = client.list_runners(timeout=ANSWER_S)
            flows = {flow for runner in self.runners for flow in runner["flows"]}
            for flow in flows:
                picture = self.pictures.get(flow)
                if picture is None or picture.ended is not None:
                    self._begin(client, flow)
            if any(picture.document_is_old() for picture in self.pictures.values()):
                self._read_documents(client)
            self.silent = None
        except TimeoutError:
            self.silent = f"has not answered for {ANSWER_S:g} s"

    def _begin(self, client: RunnerClient, flow: str) -> None:
        self.pictures.setdefault(flow, Picture(door=str(self.live.socket), runner=self.live.path, flow=flow))
        try:
            client.subscribe(flow, every_ms=self._every_ms, timeout=ANSWER_S)
        except RunnerError:  # it has just been removed; if it is there at the next look, that tries again
            if self.pictures[flow].state is None:
                del self.pictures[flow]

    def _read_documents(self, client: RunnerClient) -> None:
        versions = {name: picture.version for name, picture in self.pictures.items()}
        for document in client.list_flows(timeout=ANSWER_S):
            if (picture := self.pictures.get(document["id"])) is not None:
                picture.document, picture.documented = document, versions.get(document["id"])

    def _told(self, method: str, params: dict[str, Any]) -> None:
        """Called by the client's thread."""
        flow = params["flowId"]
        picture = self.pictures[flow]
        if method == "flowFigures":
            picture.take(time.monotonic(), params["state"], params["whole"])
            return
        if params["kind"] == "removed":
            picture.ended = f"removed at {time.strftime('%H:%M:%S')}"
        self._say(flow, event_text(params), params["count"] if params["kind"] == "deadLetters" else 0)

    def _say(self, flow: str, text: str, letters: int = 0) -> None:
        self._happened(Happening(time.time(), flow, text, letters))


def event_text(event: dict[str, Any]) -> str:
    """What has happened to a flow, in a sentence."""
    match event["kind"]:
        case "state":
            return ": ".join([str(event["state"]), *event["errors"][:1]])
        case "updated":
            return f"version {event['version']} has taken over"
        case "paused":
            return f"paused by {event['by']}"
        case "deadLetters":
            return _letters_text(event["count"])
        case "hostStarted":
            return f"the host {event['host']} has been started again ({', '.join(event['modules'])})"
        case kind:
            return str(kind)


class Watch:
    """All that is live in a state directory, or the one runner that is meant."""

    def __init__(self, state: str | Path | None, only: LiveRunner | None, every_ms: int) -> None:
        self._state, self._only, self._every_ms = state, only, every_ms
        self.doors: dict[Path, DoorWatch] = {}
        self.events: deque[Happening] = deque(maxlen=MAX_EVENTS)
        self._new: deque[Happening] = deque(maxlen=MAX_EVENTS)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Look for runners, from now on."""
        self._find()
        self._thread.start()

    def stop(self) -> None:
        """The connections are closed."""
        self._stop.set()
        for door in list(self.doors.values()):
            door.stop()

    def _run(self) -> None:
        while not self._stop.wait(2 * LOOK_S):
            self._find()

    def _find(self) -> None:
        found = live_runners(self._state)
        found = doors(found) if self._only is None else [live for live in found if live.path == self._only.path]
        for live in found:
            known = self.doors.get(live.socket)
            if known is None or known.ended is not None:
                for old in [d for d in self.doors.values() if d.ended is not None and d.live.path == live.path]:
                    del self.doors[old.live.socket]  # it is back
                self.doors[live.socket] = DoorWatch(live, self._state, self._every_ms, self._happened)
                self.doors[live.socket].start()

    def _happened(self, one: Happening) -> None:
        """Called by the threads of the doors."""
        for events in (self.events, self._new):
            add_happening(events, one)

    def take_new(self) -> list[Happening]:
        """What has happened since this was called last."""
        new, self._new = self._new, deque(maxlen=MAX_EVENTS)
        return list(new)

    def pictures(self) -> list[Picture]:
        """Of all flows that have been told anything, in the order of their names within each runner."""
        return [
            picture for door in list(self.doors.values()) for _, picture in sorted(door.pictures.items())
            if picture.state is not None
        ]  # fmt: skip

    def client_of(self, picture: Picture) -> RunnerClient:
        """Whom to ask about a flow. Raises RunnerError."""
        for door in list(self.doors.values()):
            if str(door.live.socket) == picture.door and door.client is not None:
                return door.client
        raise RunnerError(f"the runner {picture.runner} has ended")


def refusal(outcome: Outcome) -> str:
    """Why a call was not done."""
    return "; ".join(map(str, outcome.data)) if isinstance(outcome.data, list) else outcome.error or "refused"
