"""`--watch`, of run and apply: begin to watch what a flow is made of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from actors.console.errors import UserError
from actors.definition.reading import FlowSource
from actors.ends.flow_watch import FlowWatch


@contextmanager
def open_watch(file: str, source: FlowSource) -> Iterator[FlowWatch]:
    """Of a flow file that has been read already."""
    try:
        watch = FlowWatch(Path(file), source)
    except OSError as error:
        raise UserError(f"--watch: {error.strerror}") from None
    try:
        yield watch
    finally:
        watch.close()
