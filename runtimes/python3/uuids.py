"""Whether a value may hold a UUID. orjson writes one as text, where the contract refuses it; looking for that shape in
every text costs more than knowing whether anybody has imported the module `uuid` yet. orjson itself does, when it is
loaded: its import is taken back, and whoever imports `uuid` afterwards gets the same module, by way of this file.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

known = "uuid" in sys.modules  # somebody was before us


class _Watch:
    """Finder and loader of the one module."""

    def __init__(self, module: ModuleType) -> None:
        self._module, self._spec = module, module.__spec__

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        """The spec of `uuid`, from now on known."""
        global known  # noqa: PLW0603  (a process-wide flag)
        if name != "uuid":
            return None
        known = True
        sys.meta_path.remove(self)
        return ModuleSpec(name, self)  # type: ignore[arg-type]

    def create_module(self, _: ModuleSpec) -> ModuleType:
        """The one that orjson has."""
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        """It was executed long ago."""
        module.__spec__ = self._spec


def watch() -> None:
    """Forget that `uuid` was imported until somebody does again."""
    if not known and "uuid" in sys.modules:
        sys.meta_path.insert(0, _Watch(sys.modules.pop("uuid")))
