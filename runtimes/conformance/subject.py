"""What is checked: how its host is started, where its modules are and, for a compiled runtime, their build.

All modules of a runtime are compiled together, once a run. What does not compile is left out of the build and its
error kept, for the cases about bad modules. Text that only a case knows (a sibling of another kind) is added to the
build when the case asks for it; the case then begins again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runtimes.environments import Recipe, Unit, build_recipe, cache_folder, environment_recipe
from runtimes.making import make
from runtimes.manifest import Runtime, find_version

MODULES = Path(__file__).parent / "modules"
LANGUAGES = {"browser": "node"}  # whose modules a runtime has beside its own: it is the same language
IMPOSSIBLE = {("browser", "forks")}


class CannotBuildError(Exception):
    """The environment or the build of a runtime cannot be made."""


class NotBuiltError(Exception):
    """A case uses a text that is in no build yet; the next one has it."""


class Subject:
    """A host command and its modules: text, nothing to be built."""

    is_compiled = False

    def __init__(self, name: str, command: list[str], modules: Path | None = None) -> None:
        self.name = name
        self.modules = modules or MODULES / name
        self._command = command

    def command(self) -> list[str]:
        """What starts the host."""
        return self._command

    def find(self, module: str) -> tuple[str, str] | None:
        """File name and text of a module in the runtime's language."""
        if (self.name, module) in IMPOSSIBLE:
            return None
        folders = (self.modules, MODULES / LANGUAGES.get(self.name, self.name))
        found = [file for folder in folders for file in sorted(folder.glob(f"{module}.*"))]
        return source_of(found[0]) if found else None

    def unit(self, name: str, code: str, files: dict[str, str]) -> str | None:  # noqa: ARG002  for compiled ones
        """What LOAD says of a compiled module. Raises NotBuiltError."""
        return None

    def build_error(self, unit: str | None) -> dict[str, Any] | None:  # noqa: ARG002  for compiled ones
        """Why a unit is in no build: its ERROR."""
        return None


class PreparedSubject(Subject):
    """A runtime of which an environment or a build has to be made before its host can be started."""

    def __init__(self, runtime: Runtime, modules: Path | None = None) -> None:
        super().__init__(runtime.id, [], modules)
        self._runtime = runtime
        self._cache = cache_folder()
        self._units: dict[str, Unit] = {}
        self._errors: dict[str, dict[str, Any]] = {}
        self._built: frozenset[str] = frozenset()
        self.is_compiled = bool(runtime.build)
        if self.is_compiled:
            for path in sorted(self.modules.iterdir()):
                if path.name.removesuffix(".txt").endswith(runtime.extensions):
                    name, text = source_of(path)
                    unit = Unit(name=name, code=text, files={})
                    self._units[unit.id] = unit

    def command(self) -> list[str]:
        """What starts the host; makes what is needed for it. Raises CannotBuildError."""
        if not self._command or self._units.keys() - self._errors.keys() - self._built:
            version = find_version(self._runtime).version or ""
            environment = environment_recipe(self._cache, self._runtime, version, ())
            if environment is not None:
                self._make(environment, "environment")
            build = self._build(version)
            places = (environment.place if environment else None, build.place if build else None)
            self._command = self._runtime.host_command(*places)
        return self._command

    def _build(self, version: str) -> Recipe | None:
        """One build of everything that compiles."""
        while True:
            good = self._units.keys() - self._errors.keys()
            units = [self._units[id] for id in sorted(good)]
            recipe = build_recipe(self._cache, self._runtime, version, (), units)
            if recipe is None or not self._make(recipe, "build", good):
                self._built = frozenset(good)
                return recipe

    def _make(self, recipe: Recipe, what: str, units: Any = ()) -> bool:
        """Make it; true if it could not be, but units were blamed and taken out."""
        failure = make(self._cache, recipe)
        if failure is None:
            return False
        blamed = {problem["unit"]: problem["error"] for problem in failure.units if problem["unit"] in units}
        if not blamed:
            raise CannotBuildError(f"the {what} of {self.name} cannot be made: {failure.reason}")
        self._errors |= blamed
        return True

    def unit(self, name: str, code: str, files: dict[str, str]) -> str | None:
        """What LOAD says of a compiled module. Raises NotBuiltError."""
        if not self.is_compiled:
            return None
        unit = Unit(name=name, code=code, files=files)
        if unit.id not in self._built and unit.id not in self._errors:
            self._units[unit.id] = unit
            raise NotBuiltError(unit.id)
        return unit.id

    def build_error(self, unit: str | None) -> dict[str, Any] | None:
        """Why a unit is in no build: its ERROR."""
        return self._errors.get(unit or "")


def subject_of(runtime: Runtime, modules: Path | None = None) -> Subject:
    """What is to be checked of a runtime."""
    if runtime.build or runtime.environment_always:
        return PreparedSubject(runtime, modules)
    return Subject(runtime.id, runtime.host_command(), modules)


def source_of(path: Path) -> tuple[str, str]:
    """File name and text of a module; `.txt` behind it keeps formatters away from bad ones."""
    return path.name.removesuffix(".txt"), path.read_text(encoding="utf-8")
