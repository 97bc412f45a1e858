"""One conversation of the Debug Adapter Protocol: requests in, responses and events out.

Modules are threads, the messages that wait in one are its frames. A step is a wave: every module takes one message.
https://microsoft.github.io/debug-adapter-protocol/specification
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from actors.dap.abilities import ABILITIES
from actors.dap.breakpoints import Breakpoints
from actors.dap.stopped import Stopped
from actors.dap.target import DapError, GoneError, Target

Arguments = dict[str, Any]
TOUCH_S = 60.0  # a flow that nobody looks after goes on by itself after ten minutes


class Session:
    """`open` gives what is debugged, of `launch` or `attach` with these arguments; `say` sends a message; `told` makes
    text of a wave. `tick` is called some times a second: it finds out that the flow has stopped.
    """

    def __init__(
        self, open: Callable[[str, Arguments], Target], say: Callable[[dict[str, Any]], None],
        told: Callable[[dict[str, Any]], str],
    ) -> None:  # fmt: skip
        self._open, self._say, self._told = open, say, told
        self._lock = threading.RLock()
        self._count = 0
        self._target: Target | None = None
        self._stopped: Stopped | None = None
        self._breakpoints = Breakpoints()
        self._is_paused = self._begun = self._entry = self._at_dead_letters = False
        self._touched = 0.0
        self._letters = 0  # dead letters that are known
        self._log_after: str | None = None
        self._after: list[Callable[[], None]] = []  # what comes behind the response
        self.is_over = False

    # messages ------------------------------------------------------------------------------------------------------

    def handle(self, message: dict[str, Any]) -> None:
        """A message of the client."""
        if message.get("type") != "request":
            return
        with self._lock:
            command, arguments = message.get("command"), message.get("arguments")
            answer = {"type": "response", "request_seq": message.get("seq", 0), "command": command}
            try:
                if not isinstance(arguments, (dict, type(None))):
                    raise DapError("arguments are an object")
                body = self._do(str(command), arguments or {})
                self._send({**answer, "success": True, "body": body or {}})
            except DapError as error:
                self._refuse(answer, str(error))
            except Exception as error:  # a fault of ours: the client is not left waiting for an answer
                self._refuse(answer, f"internal error: {type(error).__name__}: {error}")
            after, self._after = self._after, []
            for what in after:
                self._carefully(what)

    def _refuse(self, answer: dict[str, Any], sentence: str) -> None:
        told = {"id": 1, "format": "{text}", "variables": {"text": sentence}, "showUser": True}
        self._send({**answer, "success": False, "message": sentence, "body": {"error": told}})

    def _send(self, message: dict[str, Any]) -> None:
        self._count += 1
        self._say({"seq": self._count, **message})

    def event(self, event: str, **body: Any) -> None:
        """Tell the client something."""
        self._send({"type": "event", "event": event, "body": body})

    def output(self, text: str, category: str = "console") -> None:
        """A line in the debug console."""
        self.event("output", category=category, output=text if text.endswith("\n") else f"{text}\n")

    def _carefully(self, what: Callable[[], None]) -> None:
        try:
            what()
        except GoneError as error:
            self._end(str(error))
        except DapError as error:
            self.output(str(error), "important")

    # requests ------------------------------------------------------------------------------------------------------

    def _do(self, command: str, arguments: Arguments) -> Any:
        match command:
            case "initialize":
                return ABILITIES
            case "launch" | "attach":
                return self._begin(command, arguments)
            case "disconnect" | "terminate":
                return self._disconnect()
            case "setExceptionBreakpoints":
                self._at_dead_letters = "deadLetters" in _list(arguments, "filters")
                return None
            case "cancel":
                return None
        if command not in _REQUESTS:
            raise DapError(f"{command!r} is not understood")
        target, stopped = self._there()
        return _REQUESTS[command](self, target, stopped, arguments)

    def _set_breakpoints(self, target: Target, _stopped: Stopped, arguments: Arguments) -> Any:
        wanted = _objects(_list(arguments, "breakpoints") or [{"line": n} for n in _list(arguments, "lines")])
        source = arguments.get("source")
        if not isinstance(source, dict):
            raise DapError("setBreakpoints names no source")
        return {"breakpoints": self._breakpoints.at_lines(target, source, wanted)}

    def _set_named(self, target: Target, _stopped: Stopped, arguments: Arguments) -> Any:
        return {"breakpoints": self._breakpoints.by_name(target, _objects(_list(arguments, "breakpoints")))}

    def _locations(self, target: Target, _stopped: Stopped, arguments: Arguments) -> Any:
        first = _whole(arguments, "line", 1)
        lines = target.places.lines_between(first, _whole(arguments, "endLine", first))
        return {"breakpoints": [{"line": line} for line in lines]}

    def _configuration_done(self, _target: Target, _stopped: Stopped, _arguments: Arguments) -> None:
        self._after.append(self._configured)

    def _threads(self, _target: Target, stopped: Stopped, _arguments: Arguments) -> Any:
        return {"threads": [{"id": at, "name": name} for at, name in enumerate(stopped.modules, 1)]}

    def _stack(self, _target: Target, stopped: Stopped, arguments: Arguments) -> Any:
        frames = stopped.frames(arguments.get("threadId")) if self._is_paused else []
        first = _whole(arguments, "startFrame", 0)
        levels = _whole(arguments, "levels", 0) or len(frames)
        return {"stackFrames": frames[first : first + levels], "totalFrames": len(frames)}

    def _scopes(self, _target: Target, stopped: Stopped, arguments: Arguments) -> Any:
        return {"scopes": stopped.scopes(arguments.get("frameId"))}

    def _variables(self, _target: Target, stopped: Stopped, arguments: Arguments) -> Any:
        names = ("variablesReference", "filter", "start", "count")
        return {"variables": stopped.variables(*map(arguments.get, names))}

    def _set_variable(self, _target: Target, stopped: Stopped, arguments: Arguments) -> Any:
        name, value = str(arguments.get("name")), str(arguments.get("value"))
        return stopped.set_variable(arguments.get("variablesReference"), name, value)

    def _evaluate(self, _target: Target, stopped: Stopped, arguments: Arguments) -> Any:
        return stopped.evaluate(str(arguments.get("expression", "")), arguments.get("frameId"))

    def _source(self, target: Target, _stopped: Stopped, _arguments: Arguments) -> Any:
        return {"content": target.places.text, "mimeType": "application/json"}

    def _continue(self, target: Target, _stopped: Stopped, _arguments: Arguments) -> Any:
        self._moved()
        target.call("resumeFlow", flowId=target.flow_id)
        return {"allThreadsContinued": True}

    def _next(self, _target: Target, stopped: Stopped, arguments: Arguments) -> None:
        module = stopped.module_of(arguments.get("threadId"))
        self._after.append(lambda: self._step(module))

    def _pause_all(self, _target: Target, _stopped: Stopped, _arguments: Arguments) -> None:
        self._after.append(lambda: self._pause("pause", None))

    def _there(self) -> tuple[Target, Stopped]:
        if self._target is None or self._stopped is None:
            raise DapError("nothing is debugged: launch or attach comes first")
        return self._target, self._stopped

    # begin and end -------------------------------------------------------------------------------------------------

    def _begin(self, kind: str, arguments: Arguments) -> None:
        if self._target is not None:
            raise DapError(f"{self._target.flow_id} is debugged already: a session has one flow")
        target = self._target = self._open(kind, arguments)
        state = self._state(target)
        self._stopped = Stopped(target, sorted(state["modules"]))
        self._letters, self._entry = state["deadLetters"], bool(arguments.get("stopOnEntry"))
        self._after.append(lambda: self.event("initialized"))

    def _configured(self) -> None:
        target, _ = self._there()
        if self._entry:
            target.call("pauseFlow", flowId=target.flow_id)
        target.begin()
        self._begun = True

    def _disconnect(self) -> None:
        target, self._target = self._target, None
        self._after.append(lambda: self._end(None))
        if target is None:
            return
        try:
            self._breakpoints.remove_all(target)
            if self._state(target)["debug"]["pausedBy"] is not None:
                target.call("resumeFlow", flowId=target.flow_id)  # nobody else knows that it stands
        except DapError:
            pass  # it has gone by itself
        finally:
            target.close()

    def _end(self, why: str | None) -> None:
        if self.is_over:
            return
        if why is not None:
            self.output(why, "important")
        if self._target is not None:
            self._target.close()
            self._target = None
        self.event("terminated")
        self.is_over = True

    def close(self) -> None:
        """The client has gone without a word."""
        with self._lock:
            if not self.is_over:
                self._disconnect()
                self.is_over = True

    # movement ------------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Has it stopped, has it said something?"""
        with self._lock:
            if self._target is not None and self._begun and not self.is_over:
                self._carefully(self._look)

    def _look(self) -> None:
        target, _ = self._there()
        log = target.call("readLog", flowId=target.flow_id, after=self._log_after)
        if self._log_after is not None:
            for line in log["lines"]:
                self.output(f"{line['level']}: {line['message']}", "stdout")
        self._log_after = log["after"]
        state = self._state(target)
        letters, self._letters = state["deadLetters"] - self._letters, state["deadLetters"]
        if letters > 0 and self._say_letters(target, letters):
            return
        paused_by = state["debug"]["pausedBy"]
        if self._is_paused and time.monotonic() - self._touched > TOUCH_S:
            self._touched = time.monotonic()
            target.call("listHeld", flowId=target.flow_id)
        if self._is_paused and paused_by is None:
            self._moved()
            self.event("continued", threadId=1, allThreadsContinued=True)
        elif not self._is_paused and paused_by is not None:
            hits = state["debug"]["hits"]
            if hits:
                self._stop("breakpoint", hits[0], hitBreakpointIds=[self._breakpoints.id_of(one) for one in hits])
            else:
                self._stop("entry" if self._entry else "pause", None, description=f"paused by {paused_by}")
            self._entry = False

    def _say_letters(self, target: Target, count: int) -> bool:
        """Whether the flow has been paused for them."""
        newest = target.call("deadLetters", flowId=target.flow_id)[-count:]
        for letter in newest[-10:]:
            error = letter["error"]
            self.output(f"{letter['flowModuleId']}: {error['type']}: {error['message']}", "stderr")
        if not self._at_dead_letters or not newest or self._is_paused:
            return False
        error = newest[-1]["error"]
        self._pause("exception", newest[-1]["flowModuleId"].partition("/")[2], text=error["message"])
        return True

    def _pause(self, reason: str, module: str | None, **more: Any) -> None:
        target, _ = self._there()
        target.call("pauseFlow", flowId=target.flow_id)
        self._stop(reason, module, **more)

    def _stop(self, reason: str, module: str | None, **more: Any) -> None:
        """`module`: the one that is looked at; None: one in which something waits."""
        _, stopped = self._there()
        self._moved()
        self._is_paused, self._touched = True, time.monotonic()
        if module is None:
            held = stopped.held()
            module = next((name for name in stopped.modules if held.get(name)), stopped.modules[0])
        thread = stopped.thread_of(module)
        self.event("stopped", reason=reason, threadId=thread, allThreadsStopped=True, **more)

    def _moved(self) -> None:
        _, stopped = self._there()
        stopped.clear()
        self._is_paused = False

    def _step(self, module: str) -> None:
        """A wave. What is looked at next is where the module's messages have gone, if anything waits there."""
        target, stopped = self._there()
        if not self._is_paused:
            raise DapError(f"{target.flow_id} is not paused")
        wave = target.call("singleStepFlow", flowId=target.flow_id)
        self.output(self._told(wave))
        stopped.clear()
        held = stopped.held()
        ends = [wire.split("->") for wire in self._state(target)["wires"]]
        behind = [end.partition(".")[0] for start, end in ends if start.partition(".")[0] == module]
        following = [name for name in (*behind, module, *stopped.modules) if held.get(name)]
        self._stop("step", following[0] if following else module)

    def _state(self, target: Target) -> dict[str, Any]:
        found: dict[str, Any] = target.call("flowState", flowId=target.flow_id, rates=False)
        return found


_REQUESTS: dict[str, Callable[[Session, Target, Stopped, Arguments], Any]] = {
    "setBreakpoints": Session._set_breakpoints,
    "setFunctionBreakpoints": Session._set_named,
    "breakpointLocations": Session._locations,
    "configurationDone": Session._configuration_done,
    "threads": Session._threads,
    "stackTrace": Session._stack,
    "scopes": Session._scopes,
    "variables": Session._variables,
    "setVariable": Session._set_variable,
    "evaluate": Session._evaluate,
    "source": Session._source,
    "continue": Session._continue,
    "next": Session._next,
    "stepIn": Session._next,
    "stepOut": Session._next,
    "pause": Session._pause_all,
}


def _whole(arguments: Arguments, name: str, default: int) -> int:
    value = arguments.get(name, default)
    if not isinstance(value, int):
        raise DapError(f"{name} is a whole number")
    return value


def _list(arguments: Arguments, name: str) -> list[Any]:
    value = arguments.get(name) or []
    if not isinstance(value, list):
        raise DapError(f"{name} is a list")
    return value


def _objects(value: list[Any]) -> list[dict[str, Any]]:
    if not all(isinstance(one, dict) for one in value):
        raise DapError("breakpoints are a list of objects")
    return value
