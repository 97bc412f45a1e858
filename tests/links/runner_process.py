"""A runner with links, as a process: `python -m tests.links.runner_process NAME FOLDER KEYS INCARNATION`.

Prints its port; each line of its input is where the other runners are, as JSON. Its API is at FOLDER/api.sock.
"""

from __future__ import annotations

import json
import os
import select
import sys
from pathlib import Path

from thespian.actors import ActorAddress

from actors.doors.door import open_door
from actors.messages.owner_to_runner import ConfigureRunner, OpenLinks, RunnersKnown
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
    system = ActorSystem()
    runner = system.createActor(RunnerActor)
    system.tell(runner, ConfigureRunner(run_folder=folder, name=name))
    order = OpenLinks(request_id="links", place=("127.0.0.1", 0), keys=keys, incarnation=incarnation)
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


if __name__ == "__main__":
    main()
