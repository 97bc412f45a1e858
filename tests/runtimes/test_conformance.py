"""Every case of the suite against every runtime of this machine; and the suite against a host that breaks rules."""

from __future__ import annotations

import shutil
import sys
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from runtimes.conformance import CASES, Subject, main, run_case, subject_of
from runtimes.conformance.case import Bench, Case
from runtimes.conformance.command import RUNTIMES
from runtimes.conformance.corpus import corpus
from runtimes.conformance.invariants import in_time, require
from runtimes.conformance.values import equal, is_compact, parse
from runtimes.manifest import find_version, load_runtimes
from tests.fixtures.hosts.problem_host import PROBLEMS
from tests.harness import TOYS

PROBLEM_HOST = Path(__file__).parents[1] / "fixtures" / "hosts" / "problem_host.py"
FOUND = load_runtimes([RUNTIMES, TOYS])
MODULES = {"toy": RUNTIMES / "conformance" / "modules" / "python3"}

# problem -> the cases that are run with it; those before the bar must fail, those behind it must pass
EXPECTED = {
    "none": ("", "data.* turns.* fused.*"),  # the proxy itself breaks nothing
    "sends_outputs_of_failed_turns": ("turns.failed_turn* errors.*", "data.skip* hooks.*"),
    "ignores_skip": ("data.skip* headers.skipped*", "data.several* turns.failed*"),
    "counts_too_much": ("data.several_ports fused.chain*", "hooks.missing link.ping"),
    "prints_to_the_link": ("link.prints*", "data.several* link.stop*"),
    "never_paused": ("recall.nothing*", "data.* turns.turn*"),
    "keeps_context_of_failed_turns": ("context.rolled_back errors.every*", "context.edit context.by_value"),
    "commits_out_of_order": ("data.generator data.skip_and* link.ten* crash.*", "loading.siblings hooks.st*"),
    "reorders_wires": ("fused.depth* fused.order*", "fused.chain* fused.ids"),
    "ignores_credit": ("sources.pulled* sources.fused*", "data.generator hooks.*"),
    "forgets_redelivered": ("data.redelivery", "data.who* turns.failed*"),
    "sends_nan_as_null": ("values.unencodable values.bad_utf_8", "values.native* values.large*"),
    "never_deletes": ("context.set_then* context.edit", "context.by_value context.values*"),
    "never_announces_turns": ("turns.turn_is*", "turns.retry* turns.single*"),
    "has_no_turn_limit": ("turns.too_large*", "turns.failed* turns.commit_at*"),
    "separates_with_commas_only": ("data.skip_and*", "loading.config link.ping"),
    "commits_each_frame": ("turns.context_and* data.skip_and*", "link.ping link.hello context.unencodable*"),
}


@lru_cache
def subject(name: str) -> Subject:
    """One for all cases, so that a compiled runtime is built once."""
    return subject_of(FOUND[name], MODULES.get(name))


def chosen(globs: str) -> list[str]:
    return [name for name in CASES if any(fnmatch(name, glob) for glob in globs.split())]


IN_CHROMIUM = {"data.skip_and_count", "link.hello"}


def pairs() -> list[Any]:
    """Every case with every runtime; each of the browser's starts a Chromium, so most of those take their time."""
    slow = {(runtime, case) for runtime in FOUND for case in CASES if runtime == "browser" and case not in IN_CHROMIUM}
    every = [(runtime, case) for runtime in FOUND for case in CASES]
    return [pytest.param(*pair, marks=[pytest.mark.full] if pair in slow else []) for pair in every]


@pytest.mark.parametrize(("runtime", "case"), pairs())
def test_host(runtime: str, case: str) -> None:
    if runtime == "browser" and shutil.which("chromium") is None:
        pytest.skip("there is no chromium here: apt-get install chromium")
    if find_version(FOUND[runtime]).version is None:
        pytest.skip(find_version(FOUND[runtime]).reason)
    outcome = run_case(CASES[case], subject(runtime))
    if outcome.state == "skipped":
        pytest.skip(outcome.remark)
    assert outcome.state == "ok", outcome.remark


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_broken_rule_fails_its_cases_and_no_others(problem: str) -> None:
    command = [sys.executable, str(PROBLEM_HOST), problem, *FOUND["python3"].host_command()]
    failing, passing = EXPECTED[problem]
    subject = Subject("python3", command)
    wrong = []
    for name in chosen(failing):
        if run_case(CASES[name], subject).state != "failed":
            wrong.append(f"{name} passed")
    for name in chosen(passing):
        outcome = run_case(CASES[name], subject)
        if outcome.state == "failed":
            wrong.append(f"{name} failed: {outcome.remark}")
    assert not wrong, "\n".join(wrong)


def test_every_problem_is_expected_somewhere() -> None:
    assert sorted(EXPECTED) == PROBLEMS
    unused = [glob for globs in EXPECTED.values() for part in globs for glob in part.split() if not chosen(glob)]
    assert not unused


def test_command_prints_a_line_a_case(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["python3", "--case", "link.[hp]ello*"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["ok      link.hello", "1 passed, 0 failed"]


@pytest.mark.parametrize("argv", [["cobol"], ["python3", "--case", "no.such"], []])
def test_command_refuses_what_it_cannot_run(argv: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(argv)
    assert exit_info.value.code == 2


def test_corpus_entries_have_names_of_their_own() -> None:
    names = [entry.name for entry in corpus()]
    assert len(set(names)) == len(names) > 200


@pytest.mark.parametrize(
    ("left", "right", "is_equal"),
    [
        ("1", "1.0", True),
        ("0", "-0.0", True),
        ("true", "1", False),
        ("null", "false", False),
        ("[]", "{}", False),
        ('""', "null", False),
        ("9007199254740993", "9007199254740992", False),
        ("9007199254740993", "9007199254740992.0", False),
        ("9223372036854775808", "9223372036854775808.0", True),
        ("0.1", "0.10000000000000001", True),
        ('{"a":1,"b":2}', '{"b":2,"a":1}', True),
        ('{"a":1}', '{"a":1,"b":2}', False),
        ('{"a":1,"a":2}', '{"a":2}', True),
    ],
)
def test_equality(left: str, right: str, is_equal: bool) -> None:
    assert equal(parse(left), parse(right)) is is_equal


def test_white_space_in_texts_is_no_white_space() -> None:
    assert is_compact(b'{"a b":"c\\"  d"}')
    assert not is_compact(b'{"a": 1}')


@pytest.mark.parametrize(("late", "state", "runs"), [(0, "ok", 1), (2, "ok", 3), (3, "failed", 3)])
def test_a_case_that_was_late_is_run_again(late: int, state: str, runs: int) -> None:
    """The machine may have been busy; a rule that is broken is broken at once."""
    ran = []

    def sometimes_late(_bench: Bench) -> None:
        ran.append(1)
        in_time(len(ran) > late, "PAUSED took 400 ms")

    outcome = run_case(Case("x.late", "", sometimes_late), subject("python3"))
    assert (outcome.state, outcome.remark, len(ran)) == (state, "PAUSED took 400 ms" if state == "failed" else "", runs)


def test_a_case_that_has_found_a_broken_rule_is_not_run_again() -> None:
    ran = []

    def broken(_bench: Bench) -> None:
        ran.append(1)
        require(False, "no COMMIT")

    assert run_case(Case("x.broken", "", broken), subject("python3")).state == "failed"
    assert len(ran) == 1
