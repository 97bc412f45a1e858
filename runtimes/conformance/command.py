"""The command line of the suite: chooses runtime and cases, prints what became of them."""

from __future__ import annotations

import argparse
import json
import shlex
from dataclasses import asdict
from fnmatch import fnmatch
from pathlib import Path

from runtimes.conformance.case import CASES, Outcome, run_case
from runtimes.conformance.subject import Subject, subject_of
from runtimes.manifest import ManifestError, find_version, load_runtimes, runtime_folders

RUNTIMES = Path(__file__).parents[1]
_WORDS = {"ok": "ok     ", "failed": "FAIL   ", "skipped": "skipped"}


def main(argv: list[str]) -> int:
    """Run the suite; 0 if every case passed or was skipped, 1 if one failed, 2 on wrong usage."""
    parser = argparse.ArgumentParser(prog="runner conformance", description="Check a host by runtimes/PROTOCOL.md.")
    parser.add_argument("name", help="the runtime, a folder of runtimes/")
    parser.add_argument("--case", metavar="GLOB", default="*", help="only the cases whose name matches")
    parser.add_argument("--host", metavar="COMMAND", help="start this program instead of the runtime's host")
    parser.add_argument("--json", action="store_true", help="print one JSON object a case")
    options = parser.parse_args(argv)
    try:
        subject = Subject(options.name, shlex.split(options.host)) if options.host else subject_named(options.name)
    except ManifestError as error:
        parser.exit(2, f"{error}\n")
    chosen = [case for name, case in CASES.items() if fnmatch(name, options.case)]
    if not chosen:
        parser.exit(2, f"no case matches {options.case!r}; there are: {', '.join(CASES)}\n")
    outcomes = []
    for case in chosen:
        outcome = run_case(case, subject)
        outcomes.append(outcome)
        print(json.dumps(asdict(outcome)) if options.json else line_of(outcome), flush=True)
    states = [outcome.state for outcome in outcomes]
    if not options.json:
        skipped = f", {states.count('skipped')} skipped" if "skipped" in states else ""
        print(f"{states.count('ok')} passed, {states.count('failed')} failed{skipped}")
    return 1 if "failed" in states else 0


def subject_named(name: str) -> Subject:
    """An installed runtime; raises ManifestError if there is none or it is not available."""
    runtimes = load_runtimes(runtime_folders())
    if name not in runtimes:
        raise ManifestError(f"there is no runtime {name!r}; there are: {', '.join(runtimes)}")
    found = find_version(runtimes[name])
    if found.version is None:
        raise ManifestError(found.reason)
    return subject_of(runtimes[name])


def line_of(outcome: Outcome) -> str:
    """One line for a person."""
    remark = f": {' / '.join(outcome.remark.splitlines())}" if outcome.remark else ""
    return f"{_WORDS[outcome.state]} {outcome.case}{remark}"
