"""`runner console`, driven by keys: by textual's pilot, and on a terminal of its own."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.cells import cell_len
from textual.pilot import Pilot

from actors.console.view.app import Console
from actors.console.view.page import Page
from actors.console.view.watching import Watch
from tests.console.view.conftest import FLOW, Runner
from tests.deployments import RUNNER, plant

TIMEOUT_S = 60.0
SIZE = (80, 24)


class Screen:
    """What is on the console, and keys for it."""

    def __init__(self, pilot: Pilot[None]) -> None:
        self.pilot = pilot

    @property
    def text(self) -> str:
        return self.pilot.app.query_one(Page).text()

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def until(self, *words: str) -> str:
        """Wait until all of that is seen; it never is wider than the terminal."""
        deadline = time.monotonic() + TIMEOUT_S
        while not all(word in self.text for word in words):
            assert time.monotonic() < deadline, f"{words} is not on:\n{self.text}"
            await self.pilot.pause(0.02)
        assert all(len(line) <= SIZE[0] for line in self.text.splitlines())
        assert len(self.text.splitlines()) <= SIZE[1]
        return self.text


def look(runner: Runner, first: str = "", size: tuple[int, int] = SIZE) -> Any:
    @asynccontextmanager
    async def looking() -> AsyncIterator[Screen]:
        watch = Watch(runner.state, None, 250)
        watch.start()
        try:
            async with Console(watch, first, 0.05).run_test(size=size) as pilot:
                yield Screen(pilot)
        finally:
            watch.stop()

    return looking()


def run(what: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(what())  # type: ignore[arg-type]


def test_from_the_flow_to_a_module_and_back(runner: Runner) -> None:
    async def scenario() -> None:
        with runner.client() as client:
            for number in range(5):
                client.send_message("f/parse", "in", number)
            client.send_message("f/smooth", "in", "bad")
            async with look(runner) as screen:
                text = await screen.until("smooth: 1 dead letter", "↓ alarm", "unwired", "q quit")
                lines = text.splitlines()
                assert lines[0].startswith("smooth: 1 dead letter; `runner dead list f`")
                assert re.match(r"f ● running v1 +\d+(\.\d)?/s +0 wait +1 err +1 dead +5 unwired cpu", lines[2])
                assert [line.split()[0] for line in lines[4:5]] == ["parse"]
                await screen.press("down", "enter")
                await screen.until("f/smooth", "1 figures", "accepted    6 = 5 completed + 0 queued")
                await screen.until("smooth.out -> alarm.in  5 messages")
                await screen.press("2")
                await screen.until("errors      1", "ValueError: a bad message", "raise ValueError", "line 4")
                await screen.press("3")
                await screen.until("what leaves out")
                while "out: 99" not in screen.text:
                    client.send_message("f/smooth", "in", 99)
                    await screen.pilot.pause(0.02)
                await screen.press("4")
                await screen.until("last = 99")
                await screen.press("5")
                await screen.until("raise ValueError", "1 ", "config")
                await screen.press("escape", "d")
                await screen.until("f: 1 dead letter", "ValueError: a bad message")
                await screen.press("enter")
                await screen.until("raise ValueError", "message", '"bad"')
                await screen.press("escape", "e")
                await screen.pilot.pause()
                screen.pilot.app.screen.query_one("TextArea").text = "5"  # type: ignore[attr-defined]
                await screen.press("ctrl+s")
                await screen.until("edited", "a bad message  5")
                await screen.press("r")
                await screen.until("f: 0 dead letters")
                client.send_message("f/smooth", "in", "bad")
                await screen.until("f: 1 dead letter")
                await screen.press("x")
                await screen.until("drop f/")
                await screen.press("escape", "x", "enter")
                await screen.until("f: 0 dead letters", "dropped")
                for _ in range(3):
                    client.send_message("f/smooth", "in", "bad")
                await screen.until("f: 3 dead letters")
                await screen.press("R")
                await screen.until("3 dead letters sent again")
                await screen.until("f: 3 dead letters", "\n6  ", "\n8  ")
                await screen.press("escape", "escape")
                await screen.until("1 flow, 1 runner")

    run(scenario)


def test_filter_jump_and_sort(runner: Runner) -> None:
    async def scenario() -> None:
        async with look(runner) as screen:
            await screen.until("parse", "smooth", "alarm")
            await screen.press("slash", "s", "m")
            await screen.until("filter")
            await screen.press("enter")
            text = await screen.until("only what has 'sm'")
            assert ("alarm" in text, "parse" in text) == (False, False)
            await screen.press("escape")
            await screen.until("alarm")
            await screen.press("colon", "a", "l", "enter", "enter")
            await screen.until("f/alarm")
            await screen.press("escape", "greater_than_sign")
            text = await screen.until("sorted by MODULE")
            assert [line.split()[0] for line in text.splitlines()[4:7]] == ["alarm", "parse", "smooth"]

    run(scenario)


def test_break_step_and_held_messages(runner: Runner) -> None:
    async def scenario() -> None:
        with runner.client() as client:
            async with look(runner) as screen:
                await screen.until("parse")
                await screen.press("down", "b", "enter")
                await screen.until("breakpoint set", "● ")
                for number in range(3):
                    client.send_message("f/smooth", "in", {"n": number})
                await screen.until("‖ paused", "● hit")
                await screen.press("h")
                await screen.until("3 messages held", '{"n": 2}')
                await screen.press("down", "e")
                await screen.pilot.pause()
                area = screen.pilot.app.screen.query_one("TextArea")
                area.text = '{"n": "edited"'  # type: ignore[attr-defined]
                await screen.press("ctrl+s")
                await screen.pilot.pause()
                assert len(screen.pilot.app.screen_stack) == 2, "what is no JSON stays to be corrected"
                area.text = '{"n": "edited"}'  # type: ignore[attr-defined]
                await screen.press("ctrl+s")
                await screen.until('{"n": "edited"}')
                await screen.press("down", "x", "enter")
                await screen.until("2 messages held")
                await screen.press("escape", "s")
                await screen.until("wave 1", "f/smooth", 'took in: {"n": 0}', 'sent out: {"n": 0}')
                await screen.press("s")
                await screen.until("wave 2", 'took in: {"n": "edited"}', "f/alarm")
                await screen.press("escape", "b")
                await screen.until("breakpoint removed")
                await screen.press("p")
                await screen.until("f: goes on", "● running")
        with runner.client() as client:
            assert client.flow_state("f")["debug"]["pausedBy"] is None

    run(scenario)


def test_stop_start_and_back_to_a_version(runner: Runner) -> None:
    async def scenario() -> None:
        with runner.client() as client:
            async with look(runner) as screen:
                await screen.until("parse", "S stop, start", "U roll back")
                await screen.press("S")
                await screen.until("stop f? Mailboxes and contexts stay.")
                await screen.press("escape")
                assert client.flow_state("f", rates=False)["state"] == "running"
                await screen.press("S", "enter")
                await screen.until("f: stopped", "f stopped")
                await screen.press("S")
                await screen.until("f: started", "● running")
                await screen.press("U", "enter")
                await screen.until("there is no")
                changed = json.loads(json.dumps(FLOW).replace("a bad message", "a worse one"))
                assert client.add_or_update_flow(changed)
                await screen.until("running v2")
                await screen.press("U", "x", "enter")
                await screen.until("'x' is no number of a version")
                await screen.press("U", "1", "enter")
                await screen.until("f: rolled back; it is version 3", "running v3")
                (flow,) = client.list_flows()
                assert flow["modules"]["parse"]["code"] == FLOW["modules"]["parse"]["code"]

    run(scenario)


async def keep(screen: Screen, name: str, path: Path) -> None:
    for what, typed in (("its name", name), ("into the flow file", str(path))):
        await screen.until(what)
        screen.pilot.app.query_one("#prompt").value = typed  # type: ignore[attr-defined]
        await screen.press("enter")


def test_what_was_seen_becomes_a_test(runner: Runner, tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text("# kept\nid: f\nmodules: {}\n")

    async def scenario() -> None:
        with runner.client() as client:
            client.send_message("f/smooth", "in", "bad")
            async with look(runner) as screen:
                await screen.until("parse", "1 dead")
                await screen.press("d")
                await screen.until("ValueError", "t keep as test")
                await screen.press("t")
                await keep(screen, "what is bad", tmp_path / "none.yaml")
                await screen.until("there is no flow file")
                await screen.press("t")
                await keep(screen, "what is bad", file)
                await screen.until("f.yaml: 'what is bad' added")
                await screen.press("escape", "p")
                await screen.until("paused")
                await screen.press("s")
                await screen.until("nothing is pending")
                await screen.press("t")
                await screen.until("nothing to keep")
                client.send_message("f/alarm", "in", 5)
                await screen.press("s")
                await screen.until("wave 2", "took in: 5")
                await screen.press("t")
                await keep(screen, "five", file)
                await screen.until("'five' added")

    run(scenario)
    assert file.read_text().startswith("# kept\n")
    bad, five = yaml.safe_load(file.read_text())["tests"]
    assert bad["send"] == {"smooth.in": ["bad"]}
    assert bad["dead"] == {"smooth": [{"type": "ValueError", "text": "a bad message"}]}
    assert five == {"name": "five", "send": {"alarm.in": [5]}, "expect": {"alarm.out": [5]}}


def test_what_leaves_a_port_becomes_a_test(runner: Runner, tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text("# kept\nid: f\nmodules: {}\n")

    async def scenario() -> None:
        with runner.client() as client:
            async with look(runner) as screen:
                await screen.until("parse")
                await screen.press("enter", "3")
                await screen.until("f/parse", "what leaves out", "t keep as test")
                await screen.press("t")
                await screen.until("there is nothing to keep")
                while "out: 8" not in screen.text:
                    client.send_message("f/parse", "in", 8)
                    await screen.pilot.pause(0.02)
                client.send_message("f/smooth", "in", 7)  # a context that no test begins with
                for message in ("bad", {"n": 9}, {"n": 10}):
                    client.send_message("f/parse", "in", message)
                await screen.until('out: {"n": 10}')
                await screen.press("t")
                await screen.until("how many of the newest of out, at most", "(Enter, or Esc)")
                await screen.press("backspace", "x", "enter")
                await screen.until("'x' is no number")
                await screen.press("t", "backspace", "2", "enter")
                await keep(screen, "two of a port", file)
                await screen.until("'two of a port' added")
                await screen.press("escape", "down", "down", "enter", "3")
                await screen.until("f/alarm")
                while "out: 8" not in screen.text:
                    client.send_message("f/alarm", "in", 8)
                    await screen.pilot.pause(0.02)
                await screen.press("t", "enter")
                await screen.until("no wire leads from alarm.out")

    run(scenario)
    (two,) = yaml.safe_load(file.read_text())["tests"]
    messages = [{"n": 9}, {"n": 10}]
    assert two == {"name": "two of a port", "send": {"smooth.in": messages}, "expect": {"smooth.out": messages}}


def test_a_filter_is_a_text(runner: Runner) -> None:
    """Whatever is typed on the way to it (derailed/k9s#4173)."""

    async def scenario() -> None:
        async with look(runner) as screen:
            await screen.until("parse", "smooth")
            for key in ("left_square_bracket", "left_parenthesis", "asterisk", "backslash"):
                await screen.press("slash", key)
                await screen.until("Esc: as it was")
                assert "Esc back" not in screen.text  # its keys would be typed
                while "parse" in screen.text:
                    await screen.pilot.pause(0.02)
                await screen.press("escape")
                await screen.until("parse", "smooth")

    run(scenario)


def test_the_list_of_flows(runner: Runner) -> None:
    """Back from a flow it is the chosen one; Enter at its runner opens it, too; names stay, however narrow it is."""

    async def scenario() -> None:
        async with look(runner) as screen:
            await screen.until("parse")
            await screen.press("escape")
            await screen.until("1 flow, 1 runner", "MEM")
            await screen.press("enter")
            await screen.until("parse")
            await screen.press("escape", "up", "enter")
            await screen.until("parse")
            await screen.press("escape")
            await screen.pilot.resize_terminal(50, 12)
            while "MEM" in screen.text:
                await screen.pilot.pause(0.02)
            text = await screen.until("RUNNER, FLOW         STATE")
            assert any(line.startswith("  f ") and "● running" in line for line in text.splitlines())
            await screen.pilot.resize_terminal(200, 50)
            while "MEM" not in screen.text:
                await screen.pilot.pause(0.02)
            assert "RUNNER, FLOW         STATE" in screen.text

    run(scenario)


def test_what_is_read_stays_where_it_is(runner: Runner) -> None:
    """The newest are first: only where the top is in view do they push in (derailed/k9s#1608)."""
    code = "def run(message, context):\n    print(message)\n    return message\n"
    flow = {"id": "g", "modules": {"talk": {"runtime": "python3", "code": code}}}

    async def scenario() -> None:
        with runner.client() as client:
            assert client.add_or_update_flow(flow)
            assert client.start_flow("g")
            sent = 0

            def send(count: int) -> str:
                nonlocal sent
                for _ in range(count):
                    sent += 1
                    client.send_message("g/talk", "in", f"{sent} " + "long " * 20)
                return f"{sent} long"

            def rows() -> list[str]:
                """Of the list, but the first and last ones."""
                return screen.text.split("\n")[5:-4]

            async def read(first: int) -> None:
                """From the top down, while more comes."""
                await screen.press("pagedown", "up", "up")
                seen = rows()
                assert "long" in seen[0]
                send(12)
                await screen.until("12 newer: g")
                assert rows() == seen
                await screen.press("down")
                assert rows()[:-1] == seen[1:]
                await screen.press(*("up",) * 5)
                assert rows()[4:] == seen[:-4]
                await screen.press("pageup")
                assert 0 < int(re.search(r"(\d+) newer: g", screen.text)[1]) < 12  # type: ignore[index]
                await screen.press("g")
                assert "newer: g" not in screen.text
                assert f"{sent} long" in screen.text.split("\n")[first]

            async with look(runner, "g") as screen:
                await screen.until("talk")
                newest = send(20)
                await screen.press("l")
                await screen.until(newest)
                await read(3)
                await screen.press("escape", "enter", "3")
                await screen.until("what leaves out")
                while "long" not in screen.text:
                    send(1)
                    await screen.pilot.pause(0.05)
                await screen.until(send(20))
                await read(5)
                await screen.until(send(1))  # at the top they push in
                assert f"{sent} long" in screen.text.split("\n")[5]
                await screen.press("down", "6")  # another tab is read from its top
                await screen.until(f"{sent} long")
                assert f"{sent} long" in screen.text.split("\n")[4]

    run(scenario)


def test_a_frozen_picture_and_a_flow_that_goes_on(runner: Runner) -> None:
    async def scenario() -> None:
        with runner.client() as client:
            async with look(runner) as screen:
                await screen.until("parse")
                await screen.press("enter", "space")
                await screen.until("frozen", "accepted    0 =")
                for number in range(7):
                    client.send_message("f/parse", "in", number)
                while client.flow_state("f", rates=False)["modules"]["alarm"]["completed"] < 7:
                    pass
                await screen.pilot.pause(0.6)
                assert "accepted    0 =" in screen.text
                await screen.press("space")
                await screen.until("accepted    7 =")

    run(scenario)


def test_a_runner_that_ends_is_said(runner: Runner) -> None:
    async def scenario() -> None:
        async with look(runner) as screen:
            await screen.until("● running")
            runner.process.terminate()
            await screen.until("ended at", "what is shown is the last that was known")
            await screen.press("escape")
            await screen.until("pid", "ended at")

    run(scenario)


def test_figures_that_are_not_of_now_say_so(runner: Runner) -> None:
    async def scenario() -> None:
        async with look(runner) as screen:
            await screen.until("● running")
            runner.process.send_signal(signal.SIGSTOP)
            try:
                text = await screen.until("STALE 3 s")
                assert "● running" not in text
            finally:
                runner.process.send_signal(signal.SIGCONT)
            await screen.until("● running")

    run(scenario)


def test_a_flow_that_is_removed_and_comes_again(runner: Runner) -> None:
    def other(module: str) -> dict[str, Any]:
        return {"id": "g", "modules": {module: FLOW["modules"]["parse"]}}

    async def scenario() -> None:
        with runner.client() as client:
            assert client.add_or_update_flow(other("old"))
            async with look(runner, "g") as screen:
                await screen.until("g stopped", "old")
                assert client.remove_flow("g")
                await screen.until("g removed at", "what is shown is the last that was known")
                assert client.add_or_update_flow(other("new"))
                await screen.until("g stopped", "new", "1 module")
                await screen.press("w")
                await screen.until("g is stopped; `runner start g` starts it", "what has happened", "removed")

    run(scenario)


def test_any_size_of_terminal(runner: Runner) -> None:
    letters, held = ("escape", "d"), ("escape", "escape", "h")
    pages = (("down", "enter"), ("2",), ("3",), ("4",), ("5",), ("6",), letters, ("enter",), held)

    async def scenario(size: tuple[int, int]) -> None:
        async with look(runner, size=size) as screen:
            while len(screen.pilot.app._views) < 2:  # type: ignore[attr-defined]
                await screen.pilot.pause(0.02)
            for keys in pages:
                await screen.press(*keys)
                lines = screen.text.splitlines()
                assert all(cell_len(line) <= size[0] for line in lines), screen.text
                assert len(lines) <= size[1]

    with runner.client() as client:
        client.send_message("f/smooth", "in", "bad")
    for size in ((1, 1), (2, 2), (20, 5), (40, 12), (300, 100)):
        asyncio.run(scenario(size))


def test_what_a_message_says_moves_no_cursor(runner: Runner) -> None:
    async def scenario() -> None:
        with runner.client() as client:
            client.pause_flow("f")
            client.send_message("f/parse", "in", "\x1b[2J\u202e漢字\t\r\n")
            async with look(runner) as screen:
                await screen.until("‖ paused", "parse")
                await screen.press("h")
                await screen.until("1 message held", "\\u202e漢字")
                await screen.press("enter")
                text = await screen.until("message", "\\u001b[2J")
                assert all(character.isprintable() for character in text.replace("\n", ""))

    run(scenario)


@pytest.mark.full
def test_of_several_runners(tmp_path: Path) -> None:
    """They are asked, where no subscription is taken; one that dies and comes back is seen."""
    modules = {name: FLOW["modules"]["parse"] for name in ("parse", "smooth")}
    (tmp_path / "g.json").write_text(json.dumps({"id": "g", "modules": modules, "wires": ["parse -> smooth"]}))
    flows = [{"file": "g.json", "place": {"parse": "edge", "smooth": "big"}}]
    with plant(tmp_path, runners={"edge": {}, "big": {}}, flows=flows) as up:
        up.wait_until_up()

        async def scenario() -> None:
            with up.client() as client:
                async with look(up) as screen:  # type: ignore[arg-type]
                    await screen.until("● running", "parse", "smooth")
                    client.send_message("g/parse", "in", 7)
                    await screen.press("enter")
                    await screen.until("parse.out -> smooth.in", "on edge", "accepted    1 = 1 completed")
                    await screen.press("escape", "escape")
                    await screen.until("1 flow, 2 runners", "edge", "to big:")
                    big = next(one["pid"] for one in client.list_runners() if one["name"] == "big")
                    os.kill(big, signal.SIGKILL)
                    await screen.until("started 2 times", "● running")

        run(scenario)


# on a terminal ------------------------------------------------------------------------------------------------------


def on_a_terminal(runner: Runner, *words: str, keys: str, **environment: str) -> tuple[int, str]:
    """What is written to a terminal of 80x24, until it ends; the keys are pressed when the flow is seen."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", SIZE[1], SIZE[0], 0, 0))
    before = termios.tcgetattr(follower)
    command = [*RUNNER, "--state", str(runner.state), "console", *words]
    env = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | environment
    with subprocess.Popen(
        command, stdin=follower, stdout=follower, stderr=follower, start_new_session=True, env=env
    ) as process:  # fmt: skip
        said = b""
        while "● running" not in said.decode(errors="replace"):
            said += os.read(leader, 65536)
        os.write(leader, keys.encode())
        process.wait(TIMEOUT_S)
        assert termios.tcgetattr(follower)[3] == before[3], "the terminal is as it was"
        os.close(follower)
        while True:
            try:
                data = os.read(leader, 65536)
            except OSError:
                break
            if not data:
                break
            said += data
    os.close(leader)
    return process.returncode, said.decode()


def test_on_a_terminal(runner: Runner) -> None:
    status, said = on_a_terminal(runner, "f", keys="q", TERM="xterm-256color")
    assert status == 0
    assert "\x1b[?1049h" in said
    assert "\x1b[?1049l" in said.partition("\x1b[?1049h")[2]
    assert re.search(r"\x1b\[[0-9;]*3[0-7]m", said)
    assert "2J" not in said.partition("\x1b[?1049h")[2].partition("\x1b[?1049l")[0].replace("\x1b[2J", "", 1)


def test_without_colours(runner: Runner) -> None:
    status, said = on_a_terminal(runner, keys="\x1b[B\rq", NO_COLOR="1", TERM="xterm-256color")
    assert status == 0
    codes = {code for group in re.findall(r"\x1b\[([0-9;]*)m", said) for code in group.split(";")}
    assert codes <= {"", "0", "1", "2", "7", "39", "49"}, codes  # those two are the terminal's own


def test_elsewhere_it_writes_plain_lines(runner: Runner) -> None:
    command = [*RUNNER, "--state", str(runner.state), "console", "-n", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d f running v1: 0/s, 0 waiting, 0 errors, 0 dead, cpu \d+%, [\d.]+M; f: nothing.*\n", done.stdout
    )
    assert done.stderr == ""


def test_a_flow_that_nobody_has(runner: Runner) -> None:
    command = [*RUNNER, "--state", str(runner.state), "console", "g"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "runner: no live runner has the flow 'g'\n")


def test_where_nothing_is_live_it_says_so(tmp_path: Path) -> None:
    command = [*RUNNER, "--state", str(tmp_path), "console"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no runner is live" in done.stderr
