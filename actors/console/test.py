"""`runner test FILE...`: runs the tests of flow files, each in hosts of its own, and says what differs."""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import select
import sys
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from actors.console.errors import UserError
from actors.console.flow_test import LEFT_OUT, Result, run_test
from actors.console.run import catch_signals, read_checked
from actors.console.text import plain
from actors.console.watch import open_watch
from actors.definition.model import FlowTest

COLOURS = {"-": "\x1b[31m", "+": "\x1b[32m"}
RESET = "\x1b[0m"
UPDATED = "updated"


def run_tests(options: argparse.Namespace) -> int:
    """Run the tests of flow files. Exit status 0 when all passed."""
    if options.watch and (options.update or options.json):
        raise UserError("test takes --watch alone, without --update and --json", usage=True)
    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.ERROR)
    logging.getLogger("runner.prepare").setLevel(logging.INFO)  # what is compiled or installed takes its time
    signal_fd = catch_signals()
    if options.watch:
        return _follow(options, signal_fd)
    return _run_files(options, options.flow, signal_fd)


def _run_files(options: argparse.Namespace, files: list[str], signal_fd: int) -> int:
    read = [(file, *read_checked(file)) for file in files]
    chosen = {file: [test for test in flow.tests if _is_chosen(options, test)] for file, _, flow in read}
    if not any(chosen.values()):
        which = f" whose name has {options.k!r}" if options.k and any(flow.tests for *_, flow in read) else ""
        raise UserError(f"{', '.join(files)} {'carries' if len(files) == 1 else 'carry'} no tests{which}")
    results: Counter[str] = Counter()
    facts: list[dict[str, Any]] = []
    for file, source, flow in read:
        if len(files) > 1 and chosen[file] and not options.json:
            print(f"{file}:")
        done: dict[str, Result] = {}
        for test in chosen[file]:
            done[test.name] = result = run_test(options.state, flow, source.sent, test, signal_fd)
            if select.select([signal_fd], [], [], 0)[0]:  # it was cut short: that says nothing of the test
                return 130
            results[result.result] += 1
            facts.append({"file": file, "name": test.name, **asdict(result)})
            if not options.json:
                _show(test, result)
        if options.update:
            updated = _update(file, {test.name: (test, done[test.name]) for test in chosen[file]})
            results["FAIL"] -= updated
            results[UPDATED] += updated
    if options.json:
        print(json.dumps({"ok": not results["FAIL"], "tests": facts}, default=str))
    else:
        more = "".join(f", {results[word]} {word}" for word in (LEFT_OUT, UPDATED) if results[word])
        print(f"{results['ok']} passed, {results['FAIL']} failed{more}", flush=True)
    return 1 if results["FAIL"] else 0


def _is_chosen(options: argparse.Namespace, test: FlowTest) -> bool:
    return not options.k or options.k.casefold() in test.name.casefold()


def _show(test: FlowTest, result: Result) -> None:
    print(f"{result.result}: {test.name}")
    coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    for line in result.problems:
        text = plain(line)
        colour = COLOURS.get(line[:1]) if coloured else None
        print(f"  {colour}{text}{RESET}" if colour else f"  {text}")
    for line in result.printed:
        print(f"  | {plain(line)}")
    sys.stdout.flush()


def _update(file: str, done: dict[str, tuple[FlowTest, Result]]) -> int:
    """Returns how many tests of the file have been changed: those in which nothing but messages differs."""
    from actors.console.kept_tests import TestFile  # YAML that keeps its comments: only here

    kept, count = TestFile(Path(file)), 0
    for test, result in done.values():
        if result.result == "FAIL" and not result.broken:
            kept.update(test, result)
            count += 1
    kept.save()
    return count


def _follow(options: argparse.Namespace, signal_fd: int) -> int:
    """Once, and then the tests of each file that is edited, until Ctrl-C."""
    with ExitStack() as stack:
        watches = {file: stack.enter_context(open_watch(file, read_checked(file)[0])) for file in options.flow}
        _attempt(options, options.flow, signal_fd)
        ready = select.poll()
        for fd in (signal_fd, *(watch.fd for watch in watches.values())):
            ready.register(fd, select.POLLIN)
        for watch in watches.values():
            watch.take_in()
            watch.reread()
        while True:
            dues = [watch.due for watch in watches.values() if watch.due is not None]
            wait_s = max(0.0, min(dues) - time.monotonic()) if dues else None
            came = dict(ready.poll(None if wait_s is None else math.ceil(wait_s * 1000)))
            if signal_fd in came:
                return 130
            edited = []
            for file, watch in watches.items():
                if watch.fd in came:
                    watch.take_in()
                if watch.due is not None and watch.due <= time.monotonic() and watch.reread() is not None:
                    edited.append(file)
            if edited:
                _attempt(options, edited, signal_fd)


def _attempt(options: argparse.Namespace, files: list[str], signal_fd: int) -> None:
    try:
        _run_files(options, files, signal_fd)
    except UserError as error:
        for sentence in error.sentences:
            print(f"runner: {plain(sentence)}", file=sys.stderr)
    print("-- waiting for edits --", flush=True)
