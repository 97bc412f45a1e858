"""Checks that a program is a host by runtimes/PROTOCOL.md: `python -m runtimes.conformance NAME`."""

from runtimes.conformance import (  # noqa: F401  importing a file enters its cases
    cases_async,
    cases_context,
    cases_crash,
    cases_data,
    cases_errors,
    cases_fused,
    cases_headers,
    cases_hooks,
    cases_link,
    cases_loading,
    cases_recall,
    cases_sources,
    cases_turns,
    cases_values,
)
from runtimes.conformance.case import CASES, Case, Outcome, run_case
from runtimes.conformance.command import main
from runtimes.conformance.subject import Subject, subject_of

__all__ = ["CASES", "Case", "Outcome", "Subject", "main", "run_case", "subject_of"]
