"""A host with its modules inside. build.py fills in what is in capital letters."""

import sys
import types
from pathlib import Path

import runtimes

UNITS = "UNITS"
HOST = f"{runtimes.__path__[0]}/python3/host.py"  # looked up when it starts: the build is kept, the checkout may move
ENVIRONMENT = "ENVIRONMENT"


class _Compiled:
    """Looks a module up by its unit, whatever code LOAD brings."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        """The first import of the engine is the moment to change it."""
        if name != "_flow_host.engine":
            return
        sys.meta_path.remove(_Compiled)
        from _flow_host import slot

        class Slot(slot.Slot):
            def __init__(self, number: int, load: dict) -> None:
                self.unit = load.get("unit")
                unit_name, code, files = UNITS.get(self.unit, ("unknown", "", {}))
                super().__init__(number, {**load, "name": unit_name, "code": code, "files": files})

            def load(self) -> None:
                if self.unit not in UNITS:
                    raise LookupError(f"this build has no unit {self.unit!r}")
                super().load()

        slot.Slot = Slot


if ENVIRONMENT:
    flow_environment = types.ModuleType("toy_environment")
    flow_environment.FOLDER = ENVIRONMENT
    sys.modules["toy_environment"] = flow_environment
sys.meta_path.insert(0, _Compiled)
sys.path.insert(0, HOST.rpartition("/")[0])
text = Path(HOST).read_text().replace('"runtime":"python3"', '"runtime":"toy"')
exec(compile(text, HOST, "exec"), {"__name__": "__main__", "__file__": HOST})
