"""Makes modules of source text. It does not know what a module is for.

Every LOAD gets a unique internal package; its files (`files` of LOAD) are sub-modules of it, and an `__import__` of
its own looks there first. So two modules with a sibling of the same name never meet, and a changed sibling is new.
A module that has files lies with them in a folder of the host's temporary one: they are found beside `__file__`.
"""

from __future__ import annotations

import builtins
import importlib
import os
import sys
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

HOME = os.getcwd()  # noqa: PTH109  the host's temporary folder
_real_import: Any = builtins.__import__
_real_import_module: Any = importlib.import_module
namespaces: dict[str, Namespace] = {}
sources: dict[
    str, tuple[Namespace, str]
] = {}  # by the name that code has of its file: whose it is, and what it is called
_namesakes: dict[str, int] = {}  # how many files of a name there have been
_serial = 0


class Namespace:
    """The modules of one LOAD: its main module and the files beside it."""

    def __init__(self, name: str, code: str, files: Mapping[str, str], package: str = "") -> None:
        global _serial  # noqa: PLW0603  (a process-wide counter)
        _serial += 1
        self.name, self.code = name, code
        self.file = name.rpartition("/")[2]
        stem = "".join(c if c.isalnum() else "_" for c in self.file.removesuffix(".py"))
        self.package = package or f"_flow_{_serial}_{stem}"
        self.files = {os.path.normpath(path): text for path, text in files.items()}
        self._tops = {path.split("/")[0].removesuffix(".py") for path in self.files if path.endswith(".py")}
        self._filenames: list[str] = []
        self._builtins = {**vars(builtins), "__import__": self._import} if self._tops else None
        self.folder = f"{HOME}/{self.package}" if files else ""

    def load(self) -> ModuleType:
        """Run the module's top level."""
        if self.folder:
            self._write_files()
        namespaces[self.package] = self
        module = ModuleType(self.package)
        module.__path__, module.__package__ = [self.folder] if self.folder else [], self.package
        if self.folder and (spec := self.find(self.package)) is not None:
            module.__spec__, module.__loader__ = spec, spec.loader
        sys.modules[self.package] = module
        self.run(module, self.package)
        return module

    def unload(self) -> None:
        """Forget every module of it."""
        namespaces.pop(self.package, None)
        for name in [name for name in sys.modules if name == self.package or name.startswith(self.package + ".")]:
            del sys.modules[name]
        linecache: Any = sys.modules.get("linecache")
        for filename in self._filenames:
            sources.pop(filename, None)
            if linecache is not None:
                linecache.cache.pop(filename, None)
        if self.folder:
            import shutil

            shutil.rmtree(self.folder, ignore_errors=True)

    def _write_files(self) -> None:
        for path, text in {**self.files, self.file: self.code}.items():
            if path.startswith(("/", "..")):
                raise ValueError(f"files: {path!r} is not beside the module")
            target = f"{self.folder}/{path}"
            os.makedirs(target.rpartition("/")[0], exist_ok=True)  # noqa: PTH103
            with open(target, "wb") as file:  # noqa: PTH123
                file.write(text.encode())

    def run(self, module: ModuleType, fullname: str) -> None:
        """Run the text of the main module, or of a file beside it."""
        name, text = self._text_of(fullname)
        if self.folder:
            filename = f"{self.folder}/{name if module.__name__ != self.package else self.file}"
        else:
            number = _namesakes[name] = _namesakes.get(name, 0) + 1
            filename = name if number == 1 else f"{name} ({number})"  # a traceback must not mix up lines of namesakes
        sources[filename] = (self, name)
        self._filenames.append(filename)
        module.__file__ = filename
        if self._builtins is not None:
            module.__dict__["__builtins__"] = self._builtins
        import linecache

        linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
        exec(compile(text, filename, "exec", dont_inherit=True), module.__dict__)

    def _import(self, name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        if level == 0 and name.partition(".")[0] in self._tops:
            full = f"{self.package}.{name}"
            leaf = _real_import(full, globals, locals, fromlist or ("__name__",), 0)
            return leaf if fromlist else sys.modules[f"{self.package}.{name.partition('.')[0]}"]
        return _real_import(name, globals, locals, fromlist, level)

    def inner_name(self, name: str) -> str:
        """The full name of a file that is imported by its own."""
        return f"{self.package}.{name}" if name.partition(".")[0] in self._tops else name

    def _text_of(self, fullname: str) -> tuple[str, str]:
        """The file that a full name stands for, and its text; `\"\"` for a folder without an `__init__.py`."""
        if fullname == self.package:
            return self.name, self.code
        path = fullname[len(self.package) + 1 :].replace(".", "/")
        for file in (f"{path}/__init__.py", f"{path}.py"):
            if file in self.files:
                return file, self.files[file]
        is_folder = any(file.startswith(path + "/") for file in self.files)
        return (f"{path}/__init__.py" if is_folder else ""), ""

    def find(self, fullname: str) -> ModuleSpec | None:
        """The import spec of the main module or of a file, or None."""
        name, _ = self._text_of(fullname)
        if not name:
            return None
        path = f"{self.folder}/{self.file if fullname == self.package else name}"
        spec = ModuleSpec(fullname, _Loader(self, fullname, path), origin=path)
        if fullname == self.package or name.endswith("/__init__.py"):
            spec.submodule_search_locations = [path.rpartition("/")[0]]
        return spec


class _Loader(SourceFileLoader):
    """Runs one file of a namespace, as the import system wants it; the rest (data, resources) is the library's."""

    def __init__(self, namespace: Namespace, fullname: str, path: str) -> None:
        super().__init__(fullname, path)
        self._namespace, self._fullname = namespace, fullname

    def exec_module(self, module: ModuleType) -> None:
        """Run the file's text as the module, for the import system."""
        self._namespace.run(module, self._fullname)


class _Finder:
    """Serves the internal packages to the import system."""

    @staticmethod
    def find_spec(fullname: str, path: object = None, target: object = None) -> Any:  # noqa: ARG004
        """Look only at names that this file made."""
        namespace = namespaces.get(fullname.partition(".")[0])
        return namespace and namespace.find(fullname)


def _import_module(name: str, package: str | None = None) -> ModuleType:
    """`importlib.import_module`; what a module calls `helper` is its own file of this name."""
    caller = sys._getframe(1).f_globals.get("__name__") or ""
    namespace = namespaces.get(caller.partition(".")[0])
    module: ModuleType = _real_import_module(name if namespace is None else namespace.inner_name(name), package)
    return module


sys.meta_path.insert(0, _Finder)
importlib.import_module = _import_module
