"""Makes modules of source text. It does not know what a module is for.

Every LOAD gets a unique internal package; its files (`files` of LOAD) are sub-modules of it, and an `__import__` of
its own looks there first. So two modules with a sibling of the same name never meet, and a changed sibling is new.
"""

from __future__ import annotations

import builtins
import sys
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

FOLDER = __file__.rpartition("/")[0]
_ModuleSpec: Any = type(sys.__spec__)
_real_import: Any = builtins.__import__
_namespaces: dict[str, Namespace] = {}
_sources: dict[str, tuple[Namespace, str]] = {}
_namesakes: dict[str, int] = {}  # how many files of a name there have been
_serial = 0


class Namespace:
    """The modules of one LOAD: its main module and the files beside it."""

    def __init__(self, name: str, code: str, files: Mapping[str, str]) -> None:
        global _serial  # noqa: PLW0603  (a process-wide counter)
        _serial += 1
        stem = "".join(c if c.isalnum() else "_" for c in name.rpartition("/")[2].removesuffix(".py"))
        self.package = f"_flow_{_serial}_{stem}"
        self.name = name
        self._code = code
        self._files = {path.removeprefix("./"): text for path, text in files.items()}
        self._tops = {path.split("/")[0].removesuffix(".py") for path in self._files if path.endswith(".py")}
        self._filenames: list[str] = []
        self._builtins = {**vars(builtins), "__import__": self._import} if self._tops else None

    def load(self) -> ModuleType:
        """Run the module's top level."""
        _namespaces[self.package] = self
        module = ModuleType(self.package)
        module.__path__ = []
        module.__package__ = self.package
        sys.modules[self.package] = module
        self._run(module, self.name, self._code)
        return module

    def unload(self) -> None:
        """Forget every module of it."""
        _namespaces.pop(self.package, None)
        for name in [name for name in sys.modules if name == self.package or name.startswith(self.package + ".")]:
            del sys.modules[name]
        linecache: Any = sys.modules.get("linecache")
        for filename in self._filenames:
            _sources.pop(filename, None)
            if linecache is not None:
                linecache.cache.pop(filename, None)

    def _run(self, module: ModuleType, name: str, text: str) -> None:
        number = _namesakes[name] = _namesakes.get(name, 0) + 1
        filename = name if number == 1 else f"{name} ({number})"  # a traceback must not mix up the lines of namesakes
        _sources[filename] = (self, name)
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

    def find(self, fullname: str) -> Any:
        """The import spec of a file, or None."""
        path = fullname[len(self.package) + 1 :].replace(".", "/")
        package = f"{path}/__init__.py"
        if package in self._files or any(file.startswith(path + "/") for file in self._files):
            spec = _ModuleSpec(fullname, _Loader(self, package, self._files.get(package, "")), is_package=True)
        elif f"{path}.py" in self._files:
            spec = _ModuleSpec(fullname, _Loader(self, f"{path}.py", self._files[f"{path}.py"]))
        else:
            return None
        return spec


class _Loader:
    """Runs one file of a namespace, as the import system wants it."""

    def __init__(self, namespace: Namespace, name: str, text: str) -> None:
        self._namespace, self._name, self._text = namespace, name, text

    def create_module(self, spec: Any) -> None:
        """Let the import system make it."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the file."""
        self._namespace._run(module, self._name, self._text)


class _Finder:
    """Serves the internal packages to the import system."""

    @staticmethod
    def find_spec(fullname: str, path: object = None, target: object = None) -> Any:  # noqa: ARG004
        """Look only at names that this file made."""
        namespace = _namespaces.get(fullname.partition(".")[0])
        return namespace and namespace.find(fullname)


sys.meta_path.insert(0, _Finder)


def describe(error: BaseException) -> dict[str, Any]:
    """An ERROR object: type, message, and where in the user's files it happened. Host frames are left out."""
    kind = type(error)
    info: dict[str, Any] = {"type": kind.__name__, "message": _text(error)}
    stack = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        filename = code.co_filename
        if not filename.startswith(FOLDER) and "importlib._bootstrap" not in filename:
            own = _sources.get(filename)
            if own is not None:
                filename = own[1]
                info["file"], info["line"] = filename, trace.tb_lineno
            line = sys.modules["linecache"].getline(code.co_filename, trace.tb_lineno).strip()
            stack.append(
                f'  File "{filename}", line {trace.tb_lineno}, in {code.co_name}\n' + (f"    {line}\n" if line else "")
            )
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and error.filename in _sources:
        info["message"] = str(error.msg)
        info["file"], info["line"] = _sources[error.filename][1], error.lineno or 1
        if error.offset:
            info["column"] = error.offset
        stack.append(f'  File "{info["file"]}", line {info["line"]}\n    {(error.text or "").strip()}\n')
    if len(stack) > 40:
        stack[20:-20] = ["  ...\n"]
    if stack:
        info["stack"] = f"Traceback (most recent call last):\n{''.join(stack)}{kind.__name__}: {info['message']}"
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if cause is not None and "stack" in info:
            info["stack"] += f"\ncaused by {type(cause).__name__}: {_text(cause)}"
    return info


def _text(error: BaseException) -> str:
    """The message of an error, which is user code and may fail, and be any text."""
    try:
        text = str(error)
    except Exception:
        text = "(its text cannot be had)"
    return text[:16384].encode("utf-8", "replace").decode()
