"""The Watcher actor of `runner run --watch`: edits of the flow's files become updates of the running flow."""

from __future__ import annotations

import logging
import select
import time

from thespian.actors import ActorAddress, WakeupMessage

from actors.messages import client_to_runner as api
from actors.messages.runner_to_client import Reply
from actors.messages.session_to_watcher import StartWatcher, StopWatcher
from actors.messages.system_to_actor import Ready
from actors.system.base import BaseActor

log = logging.getLogger("runner.watch")


class WatcherActor(BaseActor):
    """One update at a time; edits made meanwhile are the next one."""

    def receiveMsg_StartWatcher(self, message: StartWatcher, _sender: ActorAddress) -> None:
        """Look at once: what has changed already is the first edit."""
        self.watch, self.runner = message.watch, message.runner
        self.busy = self.stopped = False
        self.flow = ""
        self.system.watch(self.watch.fd, select.EPOLLIN, self.myAddress)
        self._look()

    def receiveMsg_StopWatcher(self, _message: StopWatcher, _sender: ActorAddress) -> None:
        """An edit that comes now changes nothing; an update under way is not ended."""
        self.stopped = True
        self.system.unwatch(self.watch.fd)

    def receiveMsg_Ready(self, _message: Ready, _sender: ActorAddress) -> None:
        """Something has happened to a file."""
        self.watch.take_in()
        self._look()

    def receiveMsg_WakeupMessage(self, _message: WakeupMessage, _sender: ActorAddress) -> None:
        """A file that had vanished has had its time."""
        self._look()

    def _look(self) -> None:
        if self.busy or self.stopped or self.watch.due is None:
            return
        delay_s = self.watch.due - time.monotonic()
        if delay_s > 0:
            self.wakeupAfter(delay_s)
            return
        edit = self.watch.reread()
        if edit is None:
            self._look()
        elif edit.problems:
            self._say(edit.problems)
        else:
            self.busy = True
            self.flow = edit.document["id"]
            self.send(self.runner, api.AddOrUpdateFlow(request_id="update", flow=edit.document))

    def receiveMsg_Reply(self, message: Reply, _sender: ActorAddress) -> None:
        """Updated: then it shall run; or not."""
        if message.ok and message.request_id == "update":
            if all(module["did"] == "untouched" for module in message.receipt["modules"].values()):
                log.info("%s: nothing has changed for any module", self.flow)
            self.send(self.runner, api.StartFlow(request_id="start", flow_id=self.flow))
            return
        if not message.ok:
            self._say(tuple(message.data or [message.error]))
        self.busy = False
        self._look()

    def _say(self, problems: tuple[str, ...]) -> None:
        for problem in problems:
            log.error("%s", problem)
        log.error("the edit is not taken: what ran before goes on")
