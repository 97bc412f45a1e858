"""The runners that a deployment is to have by its file, as `runner up` of what is up has written them down; and what of
them can be while it is up.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
from msgspec.structs import replace

from actors.messages.up_to_dispatcher import Deploy, RunnerOrder

FILE = "runners.json"


class UnwantedError(Exception):
    """It cannot be while the deployment is up. A whole sentence."""


def write_wanted(path: Path, orders: Iterable[RunnerOrder]) -> None:
    """All of them. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = path.with_name(f"{FILE}.new")
    new.touch(mode=0o600)
    new.write_bytes(msgspec.json.encode(list(orders)))
    new.replace(path)


class Wanted:
    """Of a dispatcher with several runners. Raises OSError."""

    def __init__(self, job: Deploy) -> None:
        self._path = Path(job.desired).with_name(FILE)
        self._path.unlink(missing_ok=True)  # of a life before this
        self._first_port, self._machines = job.data_port, {job.here, *(one.name for one in job.machines)}

    def order(self, name: str, there: Mapping[str, RunnerOrder]) -> RunnerOrder | None:
        """What a runner is to be; None: nothing. `there`: those of now. Raises UnwantedError."""
        try:
            orders = msgspec.json.decode(self._path.read_bytes(), type=list[RunnerOrder])
        except (OSError, msgspec.DecodeError) as error:
            raise UnwantedError(f"{self._path} cannot be read: {error}; `runner up DEPLOYMENT` writes it") from None
        order = next((one for one in orders if one.name == name), None)
        if order is None:
            return None
        if name in there:
            return self._changed(there[name], order)
        used = {one.number for one in there.values() if one.machine == order.machine}
        number = next(number for number in range(len(used) + 1) if number not in used)
        port = self._first_port + number if self._first_port and order.machine is None else 0
        return replace(order, number=number, port=port)

    def _changed(self, known: RunnerOrder, order: RunnerOrder) -> RunnerOrder:
        if known.machine != order.machine:
            text = "cannot change its machine while the deployment is up: give the new one another name"
            raise UnwantedError(f"the runner {order.name} {text}; what is on the old one moves")
        if (there := next((path for _, path in places_moved(known, order) if path.exists()), None)) is not None:
            raise UnwantedError(f"the runner {order.name} cannot keep what it has in {there}: something is there")
        return replace(order, number=known.number, port=known.port)


def places_moved(old: RunnerOrder, new: RunnerOrder) -> list[tuple[Path, Path]]:
    """What a runner keeps, and where that is to be, if that is elsewhere."""
    pairs = [(old.kept, new.kept), (f"{old.kept}.incarnation", f"{new.kept}.incarnation"), (old.journals, new.journals)]
    return [(Path(before), Path(after)) for before, after in pairs if before != after]


def move_places(old: RunnerOrder, new: RunnerOrder) -> tuple[str, ...]:
    """A runner that has ended keeps what it has elsewhere from now on. Returns what went wrong: then it stays there."""
    moved: list[tuple[Path, Path]] = []
    try:
        for before, after in places_moved(old, new):
            if before.exists():
                after.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                os.rename(before, after)  # noqa: PTH104  another file system is an error
                moved.append((before, after))
    except OSError as error:
        for before, after in moved:
            after.rename(before)
        return (f"the runner {old.name} goes on in {old.kept}: {error.filename2 or error.filename}: {error.strerror}",)
    return ()
