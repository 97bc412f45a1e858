"""A module: figures, last error, messages, context, source, log; one at a time, by number or with Tab."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from actors.console.debug_text import value_text
from actors.console.text import short
from actors.console.view.asking import Asking
from actors.console.view.columns import Row, condition, mailbox_fill, ms_a_message, window_fill
from actors.console.view.desk import Desk, Keys
from actors.console.view.drawing import Line, bar, mebibytes, milliseconds, share, sparkline
from actors.console.view.flow_view import FlowView
from actors.console.view.held_view import HeldView
from actors.console.view.keeping import keep_port
from actors.console.view.letters_view import LettersView
from actors.console.view.log_view import LogSeen
from actors.console.view.messages_seen import MessagesSeen
from actors.console.view.pausing import toggle_breakpoint, toggle_pause
from actors.console.view.picture import HISTORY, Picture, State
from actors.console.view.text_view import NumberedLines, Wrapped, error_lines, fields, paragraph

TABS = ("figures", "error", "messages", "context", "source", "log")
KEYS: Keys = (
    ("Esc", "back"), ("1-6", "Tab"), ("↑↓", "scroll"), ("b", "break"), ("p", "pause"), ("h", "held"), ("d", "dead"),
    ("Space", "freeze"), ("q", "quit"),
)  # fmt: skip


KEYS_OF_MESSAGES: Keys = (*KEYS[:-2], ("t", "keep as test"), *KEYS[-2:])


class ModuleView(FlowView):
    """`picture`: of its flow."""

    chosen = False
    keys = KEYS

    def __init__(self, desk: Desk, picture: Callable[[], Picture], module: str) -> None:
        super().__init__(desk, picture)
        self._module = module
        self._tab = 0
        self._wrapped = Wrapped()
        self._context: dict[str, Any] | None = None
        self._asking = Asking(desk, picture, lambda client: client.get_context(self._id), self._context_came)
        self._seen = MessagesSeen(desk, picture, module)
        self._log = LogSeen(desk, picture, module)

    @property
    def _id(self) -> str:
        return f"{self.picture().flow}/{self._module}"

    @property
    def _row(self) -> Row:
        return Row(self.picture(), self._module, "")

    def head(self, width: int) -> list[Line]:
        """The module and its tabs."""
        row = self._row
        word, style = condition(row)
        title: Line = [(self._id, "bold"), ("  ", ""), (word, style), (f"  {row.its.get('runtime', '')}", "dim")]
        title.append((f"  {short(row.its.get('inPerS'))}/s in  {short(row.its.get('outPerS'))}/s out", ""))
        tabs: Line = []
        for number, name in enumerate(TABS):
            tabs += [(f" {number + 1} {name} ", "cursor" if number == self._tab else "head"), (" ", "")]
        source, lines = self._shown(row)
        self._wrapped.take(source, width, lines)
        return [title, tabs]

    def _shown(self, row: Row) -> tuple[object, Callable[[], NumberedLines]]:
        """What this tab shows, and how it is shown."""
        match TABS[self._tab]:
            case "error":
                return row.its, lambda: enumerate(self._error())
            case "messages":
                return self._seen.newest, self._seen.lines
            case "context":
                return self._context, lambda: enumerate(self._context_lines())
            case "source":
                return row.picture.document, lambda: enumerate(self._source())
            case "log":
                return self._log.newest, self._log.lines
            case _:
                return row.state, lambda: enumerate(self._figures())

    def ids(self) -> list[str]:
        """Of the lines of this tab."""
        return list(self._wrapped.lines)

    def line(self, id: str, _width: int) -> Line:
        """A line of this tab."""
        return self._wrapped.lines[id]

    def above(self, top: int) -> str:
        """Of messages and log: what has come since they were read."""
        match TABS[self._tab]:
            case "messages":
                return self._seen.above(self.ids(), top)
            case "log":
                return self._log.above(self.ids(), top)
        return ""

    def key(self, key: str, _id: str | None) -> bool:
        """What the footer says."""
        picture = self.picture()
        if key in "123456":
            self._go_to(int(key) - 1)
        elif key in ("tab", "right"):
            self._go_to((self._tab + 1) % len(TABS))
        elif key in ("shift+tab", "left"):
            self._go_to((self._tab - 1) % len(TABS))
        elif key == "b":
            toggle_breakpoint(self.desk, picture, self._module)
        elif key == "p":
            toggle_pause(self.desk, picture)
        elif key == "h":
            self.desk.open(HeldView(self.desk, self.picture, self._module))
        elif key == "d":
            self.desk.open(LettersView(self.desk, self.picture, self._module))
        elif key == "t" and TABS[self._tab] == "messages":
            self._keep()
        else:
            return False
        return True

    def _keep(self) -> None:
        """The newest messages of a port, and what the modules behind it make of them."""
        port, seen = self._seen.last()
        if not seen:
            self.desk.say("no message has left it while you looked: there is nothing to keep", "bad")
            return

        def take(text: str) -> None:
            if not text.isdecimal() or not 0 < int(text) <= len(seen):
                self.desk.say(f"{text!r} is no number from 1 to {len(seen)}", "bad")
                return
            keep_port(self.desk, self.picture(), (self._module, port), seen[-int(text) :])

        self.desk.ask(f"keep as a test; how many of the newest of {port}, at most {len(seen)}", "1", take)

    def look(self, now: float) -> None:
        """Ask for what this tab shows."""
        if TABS[self._tab] == "messages":
            self._seen.begin()
        if TABS[self._tab] == "log":
            self._log.look(now)
        if TABS[self._tab] == "context":
            self._asking.look(now)

    def leave(self) -> None:
        """Taps are for as long as somebody looks."""
        self._seen.end()

    def _go_to(self, tab: int) -> None:
        if tab != self._tab:
            self._seen.end()
            self.desk.choose(self.ids()[0])  # each is read from its top
        self._tab = tab
        self.keys = KEYS_OF_MESSAGES if TABS[tab] == "messages" else KEYS

    # what the tabs show --------------------------------------------------------------------------------------------

    def _figures(self) -> list[Line]:
        row = self._row
        its, host, state = row.its, row.host, row.state
        if not its:
            return paragraph(str(state["leftOut"].get(self._module, "it is away, with its runner")), "warn")
        accounts = " + ".join(f"{short(its[name])} {word}" for name, word in _ACCOUNTS)
        latency = " ".join(f"{name} {milliseconds(its['latencyMs'][name]) or '-'}" for name in ("p50", "p99"))
        lines: list[Line] = [
            _rate("in", its["inPerS"]), _rate("out", its["outPerS"]), _trend(row),
            _fill("queue", mailbox_fill(row), f"{short(its['mailbox'])} wait, {its['mailboxBytes']:,} bytes"),
            _fill("window", window_fill(row), f"{short(its['inFlight'])} at the host"),
        ]  # fmt: skip
        lines += fields([
            ("ms a turn", f"{milliseconds(ms_a_message(row)) or '-'}, busy {share(its.get('busyPerS')) or '-'}"),
            ("latency", f"{latency}: from the mailbox to the commit"),
            ("accepted", f"{its['accepted']:,} = {accounts}"),
            ("errors", f"{its['errors']:,}"),
            ("unwired", f"{its['unwired']:,} sent to ports that no wire leads from"),
            ("context", f"{its['contextBytes']:,} bytes"),
            ("version", str(its["version"])),
        ])  # fmt: skip
        if host:
            where = f" on {host['runner']}" if "runner" in host else ""
            lines += fields([
                ("host", f"{host['host']}{where}, pid {host['pid'] or '-'}, {host['life']}, start {host['starts']}"),
                ("", f"cpu {share(host.get('cpuPerS')) or '-'} of a core, {mebibytes(host['memoryMb'])}"),
                ("", "modules: " + ", ".join(host["modules"])),
            ])  # fmt: skip
        lines += fields((name, text) for name, text in self._conditions(its, state) if text)
        for id, wire in state["wires"].items():
            start, _, end = id.partition("->")
            if self._module in (start.partition(".")[0], end.partition(".")[0]):
                lines += fields([("wire", f"{start} -> {end}  {_wire_text(wire)}")])
        return lines

    def _conditions(self, its: State, state: State) -> list[tuple[str, str]]:
        breakpoint = state["debug"]["breakpoints"].get(self._module)
        set_one = (
            "" if breakpoint is None else f"when {breakpoint['when']}" if breakpoint["when"] else "at each message"
        )
        source = its.get("source") or {}
        return [
            ("stopped by", ", ".join(its["stops"])), ("held by", ", ".join(its["heldBy"])), ("breakpoint", set_one),
            ("source", source.get("state", "")),
        ]  # fmt: skip

    def _error(self) -> list[Line]:
        its = self._row.its
        error = its.get("lastError")
        if error is None:
            said = f"; {its['errors']:,} of an earlier version or start" if its.get("errors") else ""
            return paragraph(f"there was no error{said}", "dim")
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(error["time"]))
        return [*fields([("errors", f"{its['errors']:,}"), ("the last", when)]), [], *error_lines(error)]

    def _context_came(self, context: dict[str, Any]) -> None:
        self._context = context

    def _context_lines(self) -> list[Line]:
        if self._context is None:
            return [[("it is asked for", "dim")]]
        if not self._context:
            return [[("the context is empty", "dim")]]
        return [
            [(f"{key} = {json.dumps(self._context[key], ensure_ascii=False)}", "")] for key in sorted(self._context)
        ]

    def _source(self) -> list[Line]:
        module = self.picture().document.get("modules", {}).get(self._module, {})
        if "code" not in module:
            return paragraph("its source is not known", "dim")
        error = self._row.its.get("lastError") or {}
        texts = {module.get("file") or "code": module["code"], **(module.get("files") or {})}
        lines: list[Line] = []
        for name, text in texts.items():
            lines.append([(str(name), "head")])
            for number, line in enumerate(str(text).splitlines(), 1):
                bad = error.get("line") == number and str(error.get("file", "")).endswith(str(name))
                lines += [[(f"{number:4} {one[0][0]}", "bad" if bad else "") for one in [paragraph(line)[0]]]]
        return [*lines, [], [("config", "head")], *paragraph(value_text(module.get("config") or {}))]


_ACCOUNTS = (("completed", "completed"), ("queued", "queued"), ("dropped", "dropped"), ("deadLettered", "dead letters"))


def _wire_text(wire: State) -> str:
    said = f"{short(wire['messages'])} messages, {short(wire.get('perS') or 0.0)}/s"
    if wire["messages"] is None:
        said = "not counted apart from the others"
    waiting = f", {short(wire['waiting'])} wait" if wire["waiting"] else ""
    marks = [word for word in ("fused", "held") if wire[word]]
    return ", ".join([said + waiting, *([wire["delivery"]] if wire["delivery"] != "memory" else []), *marks])


def _rate(name: str, per_s: float) -> Line:
    return [(f"{name:12}", "dim"), (f"{short(per_s)}/s", "")]


def _trend(row: Row) -> Line:
    values = row.picture.history.get(row.name, ())
    return [("trend", "dim"), (" " * 7, ""), (sparkline(values, min(HISTORY, 60)).lstrip(" "), "note")]


def _fill(name: str, part: float, said: str) -> Line:
    style = "warn" if part >= 0.5 else "note"
    return [(f"{name:12}", "dim"), ("▕", "dim"), (bar(part, 20), style), ("▏", "dim"), (f" {said}", "")]
