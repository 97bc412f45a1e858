"""Processes that user code makes. They have no part in the flow.

A forked child ends where it would come back into the host; what it prints goes to the process's own output, what it
sends is forgotten. A child of multiprocessing that is not forked (`spawn`, `forkserver`) is a fresh interpreter, which
runs host.py as `__mp_main__` and imports the modules of this host by their internal names: it finds them in a file.
"""

from __future__ import annotations

import os
import sys

from . import loader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from .link import Link
    from .prints import Stream

VARIABLE = "RUNNER_HOST_MODULES"
_export_at_load = False


def guard_forks(link: Link, prints: Iterable[Stream]) -> None:
    """From now on a forked child leaves the link alone."""
    os.register_at_fork(after_in_child=lambda: _leave(link, prints))


COMES_BACK = {  # what the loops look up first when a handler or a generator has come back
    "engine": ["clock"], "chain": ["clock"], "fast": ["clock"], "slot_task": ["clock"], "async_source": ["clock"],
    "thread_source": ["clock", "copy_plain", "encode"],
}  # fmt: skip


def _leave(link: Link, prints: Iterable[Stream]) -> None:
    """In a forked child, still inside fork()."""
    from .outside import Outside

    link.leave(_end)
    for stream in prints:
        stream.leave()
    Outside.send_alone = Outside.change_alone = lambda *_: None  # type: ignore[assignment, method-assign]
    for name, attributes in COMES_BACK.items():
        module = sys.modules.get(f"{__package__}.{name}")
        for attribute in attributes if module is not None else ():
            setattr(module, attribute, _end)


def _end(*_: Any) -> Any:
    os.write(2, b"a forked child has come back from its module: it ends here\n")
    os._exit(0)


class _Watch:
    """Notices that multiprocessing gets ready to make children that are not forked."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        """Finds nothing: it is only asked, and so learns what is imported."""
        global _export_at_load  # noqa: PLW0603  (a process-wide flag)
        if name == "multiprocessing.spawn":
            sys.meta_path.remove(_Watch)
            _export_at_load = True
            export()


def watch() -> None:
    """Notice from now on when such children may be made."""
    sys.meta_path.insert(0, _Watch)


def loaded() -> None:
    """A module has come or gone."""
    if _export_at_load:
        export()


def export() -> None:
    """Write every module where a child finds it."""
    import json

    path = os.environ[VARIABLE] = f"{loader.HOME}/.modules.json"
    fields = ("name", "code", "files", "package", "folder")
    namespaces = [{field: getattr(n, field) for field in fields} for n in list(loader.namespaces.values())]
    with open(f"{path}.new", "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump(namespaces, file)
    os.replace(f"{path}.new", path)  # noqa: PTH105


def serve() -> None:
    """In a child that is not forked: the modules are there to be imported."""
    import json

    from . import flow

    sys.modules["flow"] = flow
    with open(os.environ[VARIABLE], encoding="utf-8") as file:  # noqa: PTH123
        for fields in json.load(file):
            folder = fields.pop("folder")
            namespace = loader.Namespace(**fields)
            namespace.folder = folder
            loader.namespaces[namespace.package] = namespace
