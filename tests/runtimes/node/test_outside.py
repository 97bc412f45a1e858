"""What a module sends outside any turn, while it is paused, replaced and ended."""

from __future__ import annotations

import json

from runtimes.frames import ALL_SLOTS, Kind
from tests.runtimes.node.host import NEEDS_NODE, Account, Host

pytestmark = NEEDS_NODE


SEND = """const fs = require('fs')
module.exports = (m, c) => { setTimeout(() => {
  for (let i = 0; i < m; i++) c.send('out', i)
  c.log('info', 'sent')
  while (!fs.existsSync('go'));
}, 1) }"""


def test_what_has_been_sent_on_credit_goes_before_a_pause(host: Host) -> None:
    for pause in (0, ALL_SLOTS):
        (host.work / "go").unlink(missing_ok=True)
        host.module(SEND)
        host.send(Kind.PULL, 0, count=9)
        host.data(5)
        host.until(Kind.LOG)
        host.requests += 1
        host.send(Kind.PAUSE, pause, first=host.requests)
        (host.work / "go").touch()
        account = Account().add(host.until(Kind.PAUSED))
        assert account.outputs == {100: [0, 1, 2, 3, 4]}
        assert account.count(0, "pulled") == 5
        host.silent()


def test_what_has_been_sent_on_credit_goes_before_the_end(host: Host) -> None:
    host.module(SEND)
    host.send(Kind.PULL, 0, count=5)
    host.data(5)
    host.until(Kind.LOG)
    host.send(Kind.STOP)
    (host.work / "go").touch()
    assert Account().add(host.until(Kind.COMMIT)).outputs == {100: [0, 1, 2, 3, 4]}
    assert host.process.wait(60) == 0


def test_what_waits_for_credit_is_sent_by_the_next_version(host: Host) -> None:
    (host.work / "go").touch()
    host.module(SEND)
    host.ask(3)
    host.until(Kind.LOG)
    host.load("module.exports = (m) => m", 1, module="m0", version=2)
    host.pause(0)
    host.send(Kind.UNLOAD, 0, first=9)
    host.until(Kind.RESULT)
    host.wires(1, {"out": 101})
    host.call("start", 1, turns=7)
    host.send(Kind.PULL, 1, count=2)
    account = Account().add(host.until(Kind.COMMIT))
    assert account.outputs == {101: [0, 1]}
    host.send(Kind.PULL, 1, count=2)
    assert Account().add(host.until(Kind.COMMIT)).outputs == {101: [2]}


def test_what_cannot_be_sent_any_more_is_said(host: Host) -> None:
    (host.work / "go").touch()
    host.module(SEND)
    host.ask(3)
    host.until(Kind.LOG)
    host.send(Kind.UNLOAD, 0, first=9)
    frames = host.until(Kind.RESULT)
    [log] = [json.loads(frame.body) for frame in frames if frame.kind == Kind.LOG]
    assert log == {
        "level": "warning",
        "text": "it ended before 3 of its messages, sent outside any turn, could be handed on",
    }


def test_a_slot_that_goes_without_a_pause(host: Host) -> None:
    host.module(SEND)
    host.load("module.exports = (m) => m", 1, module="m0", version=2)
    host.send(Kind.PULL, 0, count=9)
    host.data(3)
    host.until(Kind.LOG)
    host.send(Kind.UNLOAD, 0, first=9)
    (host.work / "go").touch()
    host.until(Kind.RESULT)
    host.wires(1, {"out": 101})
    host.send(Kind.PULL, 1, count=3)
    account = Account().add(host.until(Kind.COMMIT))
    assert account.outputs == {101: [0, 1, 2]}
    assert host.pause(1)[-1].kind == Kind.PAUSED
