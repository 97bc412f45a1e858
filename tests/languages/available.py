"""Which runtimes this machine has, and modules of the conformance suite as modules of a flow."""

from __future__ import annotations

from typing import Any

from runtimes.conformance.subject import MODULES
from runtimes.manifest import RUNTIMES_FOLDER, find_version, load_runtimes

_HERE = {id: runtime for id, runtime in load_runtimes([RUNTIMES_FOLDER]).items() if id != "browser"}  # that is in pages
ALL = sorted(_HERE)
AVAILABLE = [id for id, runtime in _HERE.items() if find_version(runtime).version]
PAIRS = [(one, other) for one in AVAILABLE for other in AVAILABLE]


def suite_module(runtime: str, name: str, **fields: Any) -> dict[str, Any]:
    """A module of runtimes/conformance/modules."""
    [file] = (MODULES / runtime).glob(f"{name}.*")
    return {"runtime": runtime, "code": file.read_text(encoding="utf-8"), "name": file.name, **fields}
