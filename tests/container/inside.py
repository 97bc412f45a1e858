"""Runs inside the container (docker exec -i ... python - COMMAND): speaks to its runner through RunnerClient."""

import json
import sys
import time
from pathlib import Path

from actors.console.client import RunnerClient


def send(client: RunnerClient, first: int, last: int) -> None:
    """Messages with the numbers from `first` to before `last`."""
    for n in range(first, last):
        while not client.send_message("line/first", "in", {"n": n, "by": []}):
            time.sleep(0.05)  # the mailbox is full


def report(client: RunnerClient, wanted: int) -> None:
    """What the last module has counted, once it has handled so many messages."""
    while client.flow_state("line")["modules"]["count"]["completed"] < wanted:
        time.sleep(0.05)
    tap = client.tap_port("line/count")
    client.send_message("line/count", "in", "report")
    (message,) = client.read_tap(tap)["messages"]
    audit = client.audit()
    print(json.dumps({"counted": message["message"], "balanced": all(row["balanced"] for row in audit.values())}))


def zombies() -> None:
    """The processes that have ended and that nobody has waited for."""
    stats = [path.read_text().rpartition(")")[2].split()[0] for path in Path("/proc").glob("[0-9]*/stat")]
    print(json.dumps({"processes": len(stats), "zombies": stats.count("Z")}))


command, *numbers = sys.argv[1:]
if command == "zombies":
    zombies()
else:
    with RunnerClient() as runner:
        (send if command == "send" else report)(runner, *map(int, numbers))
