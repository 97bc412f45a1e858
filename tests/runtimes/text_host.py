"""A host whose modules are texts that a test has written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any
from unittest import mock

from runtimes.conformance import Subject, subject_of
from runtimes.conformance.host import Host
from runtimes.conformance.slot import Slot
from runtimes.manifest import RUNTIMES_FOLDER, load_runtimes
from tests.harness import need


@lru_cache
def subject(runtime: str) -> Subject:
    """The host program of a runtime, made once."""
    need(runtime)
    return subject_of(load_runtimes([RUNTIMES_FOLDER])[runtime], None)


class TextHost(Host):
    """Loads texts under one file name."""

    def __init__(self, chosen: Subject, file: str) -> None:
        super().__init__(chosen, lambda name: (name, ""))
        self._file = file

    def module(self, code: str, **changes: Any) -> Slot:
        """Load a text."""
        return self.load("m", **{"name": self._file, "code": code} | changes)

    def refused(self, code: str, **changes: Any) -> dict[str, Any]:
        """The error of a text that cannot be loaded."""
        return self.refuse_load("m", **{"name": self._file, "code": code} | changes)

    def failure(self, code: str, message: Any = 1, **changes: Any) -> dict[str, Any]:
        """The error of a module's turn that must fail."""
        slot = self.module(code, **changes)
        assert slot.run([message]) == []
        [error] = slot.errors
        return dict(error.info["error"])

    def said(self) -> list[str]:
        """The texts of LOG."""
        return [body["text"] for _, body in self.logs]


@contextmanager
def text_host(runtime: str, file: str, **variables: str) -> Iterator[TextHost]:
    """A started host, with environment variables of its own; it is ended."""
    with mock.patch.dict(os.environ, variables):
        host = TextHost(subject(runtime), file)
    try:
        yield host
    finally:
        host.link.close()
