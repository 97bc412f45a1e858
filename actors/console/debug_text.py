"""What the debugger finds, as text for people."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

from actors.console.text import columns
from actors.error_text import error_text

MAX_SHOWN = 200  # characters of one value; --json has it whole


def value_text(value: Any) -> str:
    """JSON, in one line, cut."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]} ... ({len(text)} characters)"


def step_text(wave: dict[str, Any]) -> str:
    """What every module of a wave has taken and sent."""
    if not wave:
        return "nothing is pending"
    return "\n".join(line for name, part in wave.items() for line in _part_lines(name, part))


def _part_lines(name: str, part: dict[str, Any]) -> Iterator[str]:
    if part.get("running"):
        yield f"{name}: still works on its message"
        return
    yield f"{name}  ({part['ms']:.1f} ms, pending {part['pending']})"
    for taken in part["inputStates"]:
        yield f"  took {taken['port']}: {value_text(taken['message'])}{_headers(taken)}"
    for sent in part["outputStates"]:
        yield f"  sent {sent['port']}: {value_text(sent['message'])}{_headers(sent)}"
    for error in part["errors"]:
        yield f"  error {error_text(error)}"
    before = part["inputStates"][0]["context"] if part["inputStates"] else {}
    yield from _context_lines(before, part["context"])


def _headers(message: dict[str, Any]) -> str:
    """All but the id, by which the runner knows a message on a wire that may be fused."""
    headers = {name: value for name, value in (message["headers"] or {}).items() if name != "id"}
    return f"  headers {value_text(headers)}" if headers else ""


def _context_lines(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """What has changed; of a source, which takes nothing, all there is."""
    for key in sorted(before.keys() | after.keys()):
        if key not in after:
            yield f"  context {key}: {value_text(before[key])} -> deleted"
        elif key not in before:
            yield f"  context {key}: {value_text(after[key])}"
        elif before[key] != after[key]:
            yield f"  context {key}: {value_text(before[key])} -> {value_text(after[key])}"


def held_text(held: list[dict[str, Any]]) -> str:
    """A line per message, with its number; its id as a shell takes it."""
    if not held:
        return "no message is held"
    rows = [
        (
            f"{'*' if view['atBreakpoint'] else ''}{view['number']}",
            shlex.quote(view["id"]),
            value_text(view["message"]) + _headers(view),
        )
        for view in held
    ]
    lines = [columns(("NO", "ID", "MESSAGE"), rows)]
    lines += [f"and {view['more']} more in {view['flowModuleId']}" for view in held if "more" in view]
    lines += [f"{view['flowModuleId']}: {view['error']}" for view in held if "error" in view]
    if any(view["atBreakpoint"] for view in held):
        lines.append("* waits at a breakpoint")
    return "\n".join(lines)


def debug_lines(debug: dict[str, Any], modules: int) -> Iterator[str]:
    """Pause and breakpoints, for `runner state`."""
    if debug["pausedBy"] is not None:
        whole = len(debug["pausedModules"]) == modules
        what = "" if whole else f" (only {', '.join(debug['pausedModules'])})"
        yield f"paused by {debug['pausedBy']}{what}"
    elif debug["resumedByItself"]:
        yield debug["resumedByItself"]
    for module, breakpoint in debug["breakpoints"].items():
        when = f" when {breakpoint['when']}" if breakpoint["when"] else ""
        does = ", only logs" if breakpoint["log"] else f", pauses the {breakpoint['scope']}"
        error = f": {breakpoint['error']}" if "error" in breakpoint else ""
        yield f"breakpoint at {module}{when}{does}{error}"
