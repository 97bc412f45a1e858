"""Cases about CALL: start, stop and migrate, their transactions, their failures."""

from __future__ import annotations

from runtimes.conformance.case import Bench, case
from runtimes.conformance.invariants import require
from runtimes.conformance.slot import expect


def succeeded(result: dict[str, object]) -> None:
    """Fail unless a hook ended well and is no source."""
    require(result.get("ok") is True and not result.get("source"), f"RESULT is {result}")


@case
def start(bench: Bench) -> None:
    """`start` sends and changes its context in a transaction that is committed before RESULT."""
    host = bench.start()
    slot = host.load("hooks")
    succeeded(slot.call("start", turns=0))
    expect(host.journal[-2:], ["COMMIT", "RESULT"], "order of frames")
    expect([slot.context_value("events"), slot.out()], [["start"], ["start"]], "context, sent")
    expect(slot.run([1]), [["start"]], "what the handler sees")


@case
def stop(bench: Bench) -> None:
    """`stop` may send and change its context."""
    host = bench.start()
    slot = host.load("hooks", context={"events": ["before"]})
    succeeded(slot.call("stop"))
    expect([slot.context_value("events"), slot.out()], [["before", "stop"], ["stop"]], "context, sent")


@case
def migrate(bench: Bench) -> None:
    """`migrate` gets the version that the context comes from."""
    host = bench.start()
    slot = host.load("hooks", version=3)
    succeeded(slot.call("migrate", from_version=2))
    expect(slot.context_value("events"), ["migrate 2"], "context")


@case
def missing(bench: Bench) -> None:
    """A hook that the module does not have is no error."""
    host = bench.start()
    slot = host.load("identity")
    for hook, fields in (("start", {"turns": 0}), ("stop", {}), ("migrate", {"from_version": 1})):
        require(slot.call(hook, **fields).get("ok") is True, f"RESULT of {hook} is not ok")
    expect(slot.run([1]), [1])


@case
def failing(bench: Bench) -> None:
    """A hook that raises commits nothing; its RESULT has the error and the module goes on."""
    host = bench.start()
    for hook, fields in (("start", {"turns": 0}), ("stop", {}), ("migrate", {"from_version": 1})):
        config = "migrate 1" if hook == "migrate" else hook
        slot = host.load("hooks", config=config, context={"events": ["kept"]})
        result = slot.call(hook, **fields)
        expect(result.get("ok"), False, f"RESULT of {hook}")
        require(f"{config} fails" in result["error"]["message"], f"error of {hook}: {result['error']}")
        expect([slot.out(), slot.context_value("events")], [[], ["kept"]], "sent, context")
        expect(slot.run([1]), [["kept"]], "what the handler sees")


@case
def between_turns(bench: Bench) -> None:
    """A hook that is called in the middle of a batch runs between two turns, and the batch goes on."""
    host = bench.start()
    slot = host.load("hooks")
    for n in range(10):
        slot.data([0] * 100, first=100 * n + 1)
    slot.call("stop")
    slot.done()
    seen = [value for value in slot.out() if value != "stop"]
    expect(len(seen), 1000, "turns")
    at = next((i for i, value in enumerate(seen) if value), len(seen))
    require(all(value == [] for value in seen[:at]), "an event before the hook")
    require(all(value == ["stop"] for value in seen[at:]), "a turn behind the hook does not see it")
    expect(slot.out()[at : at + 1], ["stop"], "place of what the hook has sent")


@case
def in_order(bench: Bench) -> None:
    """Hooks run in the order of their CALLs."""
    host = bench.start()
    slot = host.load("hooks")
    calls = [("start", {"turns": 0}), ("migrate", {"from_version": 1}), ("stop", {}), ("start", {"turns": 0})]
    for request in [slot.begin_call(hook, **fields) for hook, fields in calls]:
        succeeded(host.result(request))
    expect(slot.context_value("events"), ["start", "migrate 1", "stop", "start"], "events")


@case
def fused_behind(bench: Bench) -> None:
    """What a hook sends goes through fused wires as well."""
    host = bench.start()
    slot, target = host.load("hooks"), host.load("twice")
    slot.wire(fused={"out": [(target, "in", "w")]})
    slot.call("start", turns=0)
    expect(target.out(), [["start", "start"]])
    expect(slot.context_value("events"), ["start"], "context of the hook")
