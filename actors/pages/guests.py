"""The pages that have joined a flow: they come and go here, say here what they have done, and read what there is."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
import orjson
from thespian.actors import ActorAddress

from actors.definition.graph import PAGES
from actors.definition.places import among
from actors.definition.share import Share
from actors.host.bridge import LEVELS
from actors.host.members import Members
from actors.host.module_log import log as module_log
from actors.log_subject import about
from actors.messages import gateway_to_flow as from_gateway
from actors.messages.bridge_to_flow import PagesDescribed
from actors.messages.flow_to_bridge import AdoptPages, DescribePages, ShowPageContexts
from actors.messages.runner_to_client import Reply
from actors.messages.trial_and_pages import TryInPage
from actors.pages import log
from actors.pages.attempts import Attempts
from actors.pages.crowd import Crowd, CrowdError
from actors.pages.host import PagesHost
from actors.pages.parcel import FLOW, Place
from actors.pages.picture import picture_of
from actors.pages.said import said
from actors.pages.session import MAX_SAID_BYTES, Session
from actors.system.port import Port
from runtimes.frames import HEADER, Decoder, Frame, Kind, ProtocolError

LOOK_S = 0.5
MAX_LOGS = 100  # lines of a page between two looks
NAME = re.compile(r"[A-Za-z0-9_.-]{0,64}")


class Hello(msgspec.Struct):
    """What a page says first: the key of its session and the name of its client, if it had them; the name it wants;
    which parcels it has.
    """

    session: str = ""
    client: str = ""
    name: str = ""
    received: int = 0
    agent: str = ""


class _Line(msgspec.Struct):
    """A line for the log."""

    level: str
    text: str
    module: str = ""


@dataclass(slots=True)
class _Reader:
    """Who waits for what there is for a page; `acked`: the last transaction of which its socket has been told."""

    acked: int = 0
    request_id: str = ""
    client: ActorAddress | None = None


class Guests:
    """Of one flow. `crowd`: what they are to the flow."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._flow = ""
        self.crowd = Crowd(self._told)
        self._readers: dict[str, _Reader] = {}  # by key of a session
        self._owed: dict[str, list[tuple[str, ActorAddress]]] = {}  # by key, answers to what pages have said
        self._attempts = Attempts(port, self.crowd, self._told)
        self._logs: dict[str, int] = {}
        self._picture = b""

    def begin(self, flow: str) -> None:
        """The flow starts, perhaps once more."""
        if not self._flow:
            self._flow = self.crowd.flow = flow
            self._port.wakeupAfter(LOOK_S, self._look)

    def hear(self, members: Members, host: PagesHost, frame: Frame) -> None:
        """DATA, PULL and PAUSE of the modules."""
        slot = frame.slot
        if frame.kind == Kind.DATA:
            to, port, wire = members.plan.inputs[slot]
            module = members.names[to]
            self.crowd.give(module, Place(module, port, wire), frame)
        elif frame.kind == Kind.PULL and frame.count:
            self.crowd.open.add(members.names[slot])
            self.crowd.apply_all()
        elif frame.kind == Kind.PAUSE:
            self.crowd.recall(members.names[slot], partial(host.paused, frame), time.monotonic())

    def _look(self) -> None:
        self._port.wakeupAfter(LOOK_S, self._look)
        self._logs.clear()
        self.crowd.look(time.monotonic())
        for key in self._readers.keys() - self.crowd.sessions.keys():
            self._turn_away(key, "its session has ended")

    def show(
        self, members: Members, share: Share | None, units: Mapping[str, str], barred: Collection[str] | None,
        running: bool = True,
    ) -> None:  # fmt: skip
        """What runs from now on; `share` is there once the flow has been started. See picture_of()."""
        if share is None:
            return
        slots = {members.names[slot]: slot for slot in members.serving if slot in members.names}
        self.crowd.serve(slots, {wire.id: wire.to_client or "origin" for wire in share.wires})
        encoded = orjson.dumps(picture_of(share, members.plan, units, members.serving, barred, running))
        if encoded != self._picture:
            self._picture = encoded
            for session in self.crowd.sessions.values():
                self._show_to(session, fresh=False)
                self._told(session)
        self.crowd.apply_all()

    def _show_to(self, session: Session, fresh: bool) -> None:
        """`fresh`: the page has nothing yet."""
        own: dict[str, Any] = {"session": session.key, "client": session.name, "heard": session.heard}
        if fresh:
            own["contexts"] = {
                module: {key.decode(): value.decode() for key, value in context.items()}
                for module, context in session.contexts.items()
            }
        body = self._picture[:-1] + b',"you":' + orjson.dumps(own) + b"}"
        session.show(HEADER.pack(len(body), FLOW, 0, 0, 0, 0, 0) + body)

    # they come and go -----------------------------------------------------------------------------------------------

    def receiveMsg_JoinPage(self, message: from_gateway.JoinPage, sender: ActorAddress) -> None:
        """A page comes, or comes back."""
        if not self._picture:
            self._refuse(message, sender, "the flow has not been started yet")
            return
        try:
            hello = msgspec.json.decode(message.hello, type=Hello)
            if not (NAME.fullmatch(hello.name) and NAME.fullmatch(hello.client)):
                raise CrowdError("a name has letters, digits and . _ - only, 64 at most")
            session, is_new = self.crowd.session(hello.session, hello.name, hello.client, time.monotonic())
        except (CrowdError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            self._port.send(
                sender, Reply(request_id=message.request_id, ok=False, error=str(error), data={"never": True})
            )  # fmt: skip
            return
        received = 0 if is_new else max(0, hello.received)
        self._turn_away(session.key, "another page has taken this session over")
        session.agent = hello.agent[:200]
        socket = session.join(received, time.monotonic())
        self._readers[session.key] = _Reader()  # what the socket before was told may not have arrived
        self._show_to(session, fresh=not received)
        log.info("%s: the page %s has %s", self._flow, session.name, "joined" if is_new else "come back")
        joined = {"session": session.key, "client": session.name, "socket": socket}
        self._port.send(sender, Reply(request_id=message.request_id, ok=True, value=joined))

    def receiveMsg_LeavePage(self, message: from_gateway.LeavePage, sender: ActorAddress) -> None:
        """Its socket has gone; it may come back."""
        session = self._session(message, sender)
        if session is None:
            return
        if message.for_good:
            self.crowd.end(session)
        else:
            self.crowd.leave(session)
        self._turn_away(session.key, "its socket has gone")
        self._port.send(sender, Reply(request_id=message.request_id, ok=True, value=True))

    def _session(self, message: from_gateway.OfPage, sender: ActorAddress) -> Session | None:
        """The session that a message is of, if the socket it has come by is the newest."""
        session = self.crowd.sessions.get(message.session)
        if session is not None and session.socket == message.socket:
            return session
        is_newer = session is not None and message.socket < session.sockets
        error = "another page has taken this session over" if is_newer else "its session has ended, or is elsewhere"
        self._refuse(message, sender, error, ended=not is_newer)
        return None

    def _refuse(self, message: Any, sender: ActorAddress, error: str, ended: bool = True) -> None:
        reply = Reply(request_id=message.request_id, ok=False, error=error, data={"ended": ended})
        self._port.send(sender, reply)

    def _turn_away(self, key: str, why: str) -> None:
        """Whoever reads, or waits for an answer, is told why there will be nothing more."""
        reader, owed = self._readers.pop(key, None), self._owed.pop(key, [])
        if reader is not None and reader.client is not None:
            owed.append((reader.request_id, reader.client))
        self._attempts.leave(key)
        data = {"ended": key not in self.crowd.sessions}
        for request_id, client in owed:
            self._port.send(client, Reply(request_id=request_id, ok=False, error=why, data=data))

    def end_all(self) -> None:
        """The flow is gone, or made anew."""
        for session in tuple(self.crowd.sessions.values()):
            self.crowd.end(session)
            self._turn_away(session.key, "the flow has ended")

    def receiveMsg_DescribePages(self, _message: DescribePages, sender: ActorAddress) -> None:
        """For a flow that goes on elsewhere, or later."""
        self._port.send(sender, PagesDescribed(flow=self._flow, key=PAGES, sessions=self.crowd.facts()))

    def receiveMsg_AdoptPages(self, message: AdoptPages, _sender: ActorAddress) -> None:
        """Their pages will come back."""
        self.crowd.adopt(message.sessions)

    # they try what is to come ---------------------------------------------------------------------------------------

    def receiveMsg_TryInPage(self, message: TryInPage, sender: ActorAddress) -> None:
        """The page that was heard of last tries it."""
        self._attempts.begin(message, sender)

    # what they say and read -----------------------------------------------------------------------------------------

    def receiveMsg_SayPage(self, message: from_gateway.SayPage, sender: ActorAddress) -> None:
        """What it has done. Answered when the flow has room for more."""
        session = self._session(message, sender)
        if session is None:
            return
        try:
            self._hear(session, message.data)
        except (ProtocolError, ValueError) as error:
            log.error("%s: the page %s is turned away: %s", self._flow, session.name, error)
            self.crowd.end(session)
            self._refuse(message, sender, str(error))
            self._turn_away(session.key, str(error))
            return
        self._owed.setdefault(session.key, []).append((message.request_id, sender))
        self.crowd.apply(session)
        self._answer(session)

    def _hear(self, session: Session, data: bytes) -> None:
        frames: list[Frame] = []
        decoder = Decoder()
        for frame in decoder.feed(data):
            if frame.kind == Kind.LOG:
                self._log(session, frame)
            elif frame.kind == Kind.RESULT:
                self._attempts.tried(session, frame)
            elif frame.kind == Kind.COMMIT:
                session.hear(said(frames, frame, session.name), time.monotonic())
                frames = []
            else:
                frames.append(frame)
        if frames or decoder.pending_bytes:
            raise ProtocolError("a message that ends within a transaction")

    def _log(self, session: Session, frame: Frame) -> None:
        line = msgspec.json.decode(frame.body, type=_Line)
        self._logs[session.key] = count = self._logs.get(session.key, 0) + 1
        if count <= MAX_LOGS:
            where = f"{self._flow}/{line.module}" if line.module else self._flow
            module_log.log(
                LEVELS.get(line.level, 20), "%s@%s: %s", where, session.name, line.text[:4096],
                extra=about(self._flow, line.module),
            )  # fmt: skip

    def _answer(self, session: Session) -> None:
        if session.waiting_bytes <= MAX_SAID_BYTES:
            for request_id, client in self._owed.pop(session.key, ()):
                self._port.send(client, Reply(request_id=request_id, ok=True, value=True))

    def receiveMsg_ReadPage(self, message: from_gateway.ReadPage, sender: ActorAddress) -> None:
        """Answered when there is something."""
        session = self._session(message, sender)
        if session is not None:
            reader = self._readers[session.key]
            reader.request_id, reader.client = message.request_id, sender
            self._told(session)

    def _told(self, session: Session) -> None:
        """There may be something for it, or room for what it says."""
        self._answer(session)
        reader = self._readers.get(session.key)
        if reader is None or reader.client is None or not session.has_something(reader.acked):
            return
        portion = session.portion(reader.acked)
        reader.acked = session.taken
        client, reader.client = reader.client, None
        self._port.send(client, Reply(request_id=reader.request_id, ok=True, value=portion))

    def receiveMsg_ShowPageContexts(self, message: ShowPageContexts, _sender: ActorAddress) -> None:
        """As of what each page has committed last."""
        contexts = {
            session.name: {
                key.decode(): orjson.loads(value) for key, value in session.contexts.get(message.module, {}).items()
            }
            for session in self.crowd.sessions.values()
        }
        if message.page and message.page not in contexts:
            error = f"no page {among(message.page, contexts, 'these have joined:')}"
            self._refuse(message, message.client, error)
            return
        value = contexts[message.page] if message.page else contexts
        self._port.send(message.client, Reply(request_id=message.request_id, ok=True, value=value))

    # figures --------------------------------------------------------------------------------------------------------

    def figures(self) -> dict[str, Any]:
        """Of every page what it is."""
        clients = [_figures(session, time.monotonic()) for session in self.crowd.sessions.values()]
        return {"undelivered": self.crowd.undelivered, "clients": clients}


def _figures(session: Session, now: float) -> dict[str, Any]:
    waiting, modules = session.undone()
    return {
        "name": session.name, "here": session.is_here, "browser": session.agent, "dropped": session.dropped,
        "awayS": 0.0 if session.is_here else round(now - session.since, 1),
        "waiting": waiting, "waitingFor": modules, "idleS": round(now - session.idle, 1) if waiting else 0.0,
    }  # fmt: skip
