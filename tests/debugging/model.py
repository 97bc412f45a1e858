"""What a random flow must have done, said of what its modules wrote down. Pure: it knows no runner."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import Any

from tests.debugging.random_flows import Talk, Talker

Message = dict[str, Any]
Sent = dict[str, list[Message]]  # "module.port" -> what left it, in order


def plain(message: Message) -> Message:
    """What a module makes of a message from an error port."""
    if "error" not in message:
        return message
    inner = plain(message["message"])
    return {**inner, "from": f"{message['module']}.error:{inner['from']}", "v": inner["v"] + 1}


def fails(talker: Talker, message: Message) -> bool:
    """Whether its turn raises."""
    return bool(talker.fails) and message["v"] % 4 == 1


def turn(name: str, context: dict[str, Any], message: Message) -> list[tuple[str, Message]]:
    """A turn that does not raise: changes the context, gives what is sent by port."""
    state = context["state"] = (context.get("state", 0) * 31 + message["v"]) % 65521
    context.setdefault("took", []).append([message[key] for key in ("from", "k", "v", "hops")])
    outputs = []
    for port, times in (("a", 2 if state % 7 == 0 else 1), ("b", 1 if state % 3 else 0)):
        for _ in range(times if message["hops"] else 0):
            k = context.get("k" + port, 0)
            context["k" + port] = k + 1
            v = (state + 7 * k) % 1000
            outputs.append((port, {"from": f"{name}.{port}", "k": k, "v": v, "hops": message["hops"] - 1}))
    return outputs


def gathered(context: dict[str, Any]) -> dict[str, Any]:
    """A module's context with what it took as one list."""
    rest = {key: value for key, value in context.items() if not key.startswith("took") and key != "n"}
    return {**rest, "took": [context[f"took{n}"] for n in range(context["n"])]} if "n" in context else rest


def source(name: str, talker: Talker) -> list[Message]:
    """All that a source sends."""
    return [{"from": f"{name}.out", "k": k, "v": (k * 37) % 1000, "hops": talker.hops} for k in range(talker.length)]


def without_versions(context: dict[str, Any]) -> dict[str, Any]:
    """A module's context as the model writes it."""
    return {**context, "took": [entry[:-1] for entry in context["took"]]} if "took" in context else context


def replay(talk: Talk, contexts: dict[str, dict[str, Any]]) -> Sent:
    """Run every module over the inputs that it took, in order; assert that its context is the same. What it sent."""
    sent: Sent = defaultdict(list)
    for name, talker in talk.modules.items():
        if talker.length:
            assert contexts[name] == {"k": talker.length}, f"{name} has not sent everything: {contexts[name]}"
            sent[f"{name}.out"] = source(name, talker)
            continue
        context: dict[str, Any] = {}
        for where, k, v, hops in without_versions(contexts[name]).get("took", []):
            for port, output in turn(name, context, {"from": where, "k": k, "v": v, "hops": hops}):
                sent[f"{name}.{port}"].append(output)
        assert context == without_versions(contexts[name]), f"{name}: its context is no sequential replay"
    return sent


def check_wires(
    talk: Talk, sent: Sent, contexts: dict[str, dict[str, Any]], dead: dict[str, list[Message]]
) -> None:  # fmt: skip
    """On each wire came what was sent, in order: taken, or failed and then on the error port or among the dead."""
    failed: Sent = defaultdict(list)  # by module.error:feeder, as it arrives at the other end
    fed: dict[str, list[str]] = {name: [f"api:{name}"] for name in talk.modules}
    for module, port, to in talk.wires:
        if port != "error":
            fed[to].append(f"{module}.{port}")
    wired = {module: [to for m, port, to in talk.wires if (m, port) == (module, "error")] for module in talk.modules}
    waiting = deque((name, key) for name, keys in fed.items() for key in keys)
    arrived: dict[str, dict[str, list[Message]]] = {name: {} for name in talk.modules}
    letters = 0
    while waiting:
        name, key = waiting.popleft()
        messages = [{**message, "from": key} for message in sent.get(key, failed.get(key, []))]
        arrived[name][key] = [message for message in messages if not fails(talk.modules[name], message)]
        lost = [message for message in messages if fails(talk.modules[name], message)]
        if not lost:
            continue
        if wired[name]:
            failed[f"{name}.error:{key}"] = [{**message, "v": message["v"] + 1} for message in lost]
            waiting.extend((to, f"{name}.error:{key}") for to in wired[name])
        else:
            came = [message for message in map(plain, dead.get(name, [])) if message["from"] == key]
            assert came == lost, f"the dead letters of {key} -> {name}"
            letters += len(lost)
    assert letters == sum(map(len, dead.values())), f"dead letters that nobody sent: {dead}"
    for name, by_feeder in arrived.items():
        took = without_versions(contexts[name]).get("took", [])
        for key in {entry[0] for entry in took} | by_feeder.keys():
            came = [entry for entry in took if entry[0] == key]
            wanted = [[m["from"], m["k"], m["v"], m["hops"]] for m in by_feeder.get(key, [])]
            assert came == wanted, f"{key} -> {name}: {first_difference(came, wanted)}"
        versions = [entry[-1] for entry in contexts[name].get("took", [])]
        assert versions == sorted(versions), f"{name} went back to an earlier version: {versions}"


def first_difference(came: list[Any], wanted: list[Any]) -> str:
    """Where two sequences part."""
    at = next((i for i, (one, other) in enumerate(zip(came, wanted, strict=False)) if one != other), None)
    at = min(len(came), len(wanted)) if at is None else at
    return f"{len(came)} of {len(wanted)} came; at {at} {came[at : at + 3]} instead of {wanted[at : at + 3]}"


def undebugged(talk: Talk, inputs: Sent) -> dict[str, dict[str, Any]]:
    """The contexts after a run of a tree, where the order of modules makes no difference."""
    contexts: dict[str, dict[str, Any]] = {name: {} for name in talk.modules}
    waiting = deque((name, message) for name in talk.modules for message in inputs.get(f"api:{name}", []))
    for name, talker in talk.modules.items():
        if talker.length:
            contexts[name]["k"] = talker.length
            targets = [to for m, port, to in talk.wires if (m, port) == (name, "out")]
            waiting.extend((to, message) for message in source(name, talker) for to in targets)
    while waiting:
        name, message = waiting.popleft()
        if fails(talk.modules[name], message):
            assert not any((m, port) == (name, "error") for m, port, _ in talk.wires)
            continue
        for port, output in turn(name, contexts[name], message):
            waiting.extend((to, output) for m, p, to in talk.wires if (m, p) == (name, port))
    return contexts
