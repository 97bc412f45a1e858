"""The list of cases, and what a case gets: a bench that starts hosts of one runtime and ends them afterwards."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runtimes.conformance.host import Host
from runtimes.conformance.invariants import Broken, Late
from runtimes.conformance.subject import CannotBuildError, NotBuiltError, Subject

OPTIONAL = {
    "async_sleep": "async",
    "async_counter": "async",
    "async_generator": "async",
    "async_source": "async",
    "late_send": "async",
    "generator": "generator",
    "source": "source",
    "blocking_source": "blocking source",
    "source_beside": "async source beside a handler",
    "sibling": "several files",
    "beside": "data file",
    "checks_config": "config-checking",
    "forks": "fork",
    "prints_hard": "hard print",
    "unencodable": "unencodable value",
    "syntax_error": "source text",
    "load_error": "source text",
}
TRIES = 3  # of a case that was late


class Skipped(Exception):
    """The runtime cannot do what the case is about."""


class Bench:
    """Starts hosts of one runtime for one case."""

    def __init__(self, subject: Subject) -> None:
        self.runtime = subject.name
        self._subject = subject
        self._hosts: list[Host] = []

    def start(self) -> Host:
        """A new host that has said HELLO."""
        host = Host(self._subject, self.source)
        self._hosts.append(host)
        return host

    def source(self, module: str) -> tuple[str, str]:
        """File name and text of a module in the runtime's language."""
        found = self._subject.find(module)
        if found is None:
            if module in OPTIONAL:
                raise Skipped(f"no {OPTIONAL[module]} module")
            raise Broken(f"modules/{self.runtime} has no module {module}")
        return found

    @property
    def is_compiled(self) -> bool:
        """Whether modules are found by their unit."""
        return self._subject.is_compiled

    def line_here(self, module: str) -> int:
        """The line of the module's source with the remark HERE."""
        lines = self.source(module)[1].splitlines()
        return next(number for number, line in enumerate(lines, 1) if "HERE" in line)

    def close(self) -> None:
        """Kill every host that the case has left, and close its pipes."""
        for host in self._hosts:
            host.link.close()


@dataclass(frozen=True)
class Case:
    """A named check. `run` raises Broken, and may return a remark, such as a figure it has measured."""

    name: str
    text: str
    run: Callable[[Bench], str | None]


@dataclass(frozen=True)
class Outcome:
    """What became of a case: ok, failed or skipped."""

    case: str
    state: str
    remark: str
    seconds: float


CASES: dict[str, Case] = {}


def case(run: Callable[[Bench], str | None]) -> Callable[[Bench], str | None]:
    """Enter a function into CASES, named after its file and itself: `data.skip_and_count`."""
    area = run.__module__.rsplit(".", 1)[-1].removeprefix("cases_")
    name = f"{area}.{run.__name__}"
    CASES[name] = Case(name, (run.__doc__ or "").strip(), run)
    return run


@contextmanager
def bench_of(subject: Subject) -> Iterator[Bench]:
    """A bench whose hosts are ended at the end, whatever happens."""
    bench = Bench(subject)
    try:
        yield bench
    finally:
        bench.close()


def run_case(chosen: Case, subject: Subject) -> Outcome:
    """Run one case and say what became of it; one that was late again, since the machine may have been busy."""
    late = 0
    while True:
        try:
            return _run_once(chosen, subject, late + 1 == TRIES)
        except NotBuiltError:  # the next build has it
            continue
        except Late:
            late += 1


def _run_once(chosen: Case, subject: Subject, is_last: bool) -> Outcome:
    start = time.monotonic()
    state, remark = "ok", ""
    try:
        with bench_of(subject) as bench:
            remark = chosen.run(bench) or ""
    except Skipped as skipped:
        state, remark = "skipped", str(skipped)
    except NotBuiltError:
        raise
    except (Broken, CannotBuildError) as broken:
        if isinstance(broken, Late) and not is_last:
            raise
        state, remark = "failed", str(broken)
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        state, remark = "failed", f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
    return Outcome(chosen.name, state, remark, time.monotonic() - start)
