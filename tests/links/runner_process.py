"""A runner with links, as a process: `python -m tests.links.runner_process NAME FOLDER KEYS INCARNATION [STATE]`.

It listens at $ADDRESS and prints its port; each line of its input is where the other runners are, as JSON. Its API is
at FOLDER/api.sock. With a folder STATE it has journals and keeps its flows; at the end of its input it ends, in order.
What $JOURNAL_CHILD says is run in place of the process that writes journals; $ACCEPT_LOSS: as --accept-loss.
"""

from __future__ import annotations

import json
import os
import select
import sys
from pathlib import Path

from thespian.actors import ActorAddress

from actors.doors.door import open_door
from actors.journal import writer
from actors.messages.owner_to_runner import CloseJournals, ConfigureRunner, OpenLinks, RunnersKnown, ShutDown
from actors.messages.runner_to_client import Reply
from actors.messages.system_to_actor import Ready
from actors.runner.runner import RunnerActor
from actors.system.base import BaseActor
from actors.system.in_process import ActorSystem


class Input(BaseActor):
    """Of the process."""

    runner: ActorAddress
    ended = False

    def receiveMsg_Ready(self, _message: Ready, _sender: ActorAddress) -> None:
        data = os.read(0, 65536)
        for line in data.splitlines():
            places = {name: (host, port) for name, (host, port) in json.loads(line).items()}
            self.send(self.runner, RunnersKnown(places=places))
        self.ended = not data


def main() -> None:
    name, folder, keys, incarnation = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
    folder.mkdir(parents=True, exist_ok=True)
    if child := os.environ.get("JOURNAL_CHILD"):
        writer.CHILD = (sys.executable, "-c", child)
    system = ActorSystem()
    runner = system.createActor(RunnerActor)
    state = Path(sys.argv[5]) if len(sys.argv) > 5 else None
    configure = ConfigureRunner(
        run_folder=folder, name=name, incarnation=incarnation, kept=state and state / "kept",
        journals=state and state / "journal", accept_loss="ACCEPT_LOSS" in os.environ,
    )  # fmt: skip
    system.tell(runner, configure)
    order = OpenLinks(request_id="links", place=(os.environ.get("ADDRESS", "127.0.0.1"), 0), keys=keys)
    reply = system.ask(runner, order, 10)
    assert isinstance(reply, Reply), reply
    assert reply.ok, reply.error
    problem = open_door(system, runner, folder, name)
    assert problem is None, problem
    address = system.createActor(Input)
    given: Input = system.base.actorRegistry[address.actorAddressString].instance
    given.runner = runner
    system.base.watch(0, select.EPOLLIN, address)
    print(reply.value, flush=True)
    system.base.run_until(lambda: given.ended)
    if state is not None:
        for last in (ShutDown(request_id="end"), CloseJournals(request_id="end")):
            reply = system.ask(runner, last, 30)
            assert isinstance(reply, Reply) and reply.ok and not reply.data, reply


if __name__ == "__main__":
    main()
