"""Compiles units of a compiled runtime as the runner does."""

from __future__ import annotations

from pathlib import Path

from runtimes.environments import Unit, build_recipe, cache_folder, environment_recipe
from runtimes.making import Failure, make
from runtimes.manifest import Runtime, find_version


def compiled(
    runtime: Runtime, units: dict[str, tuple[str, dict[str, str]]], dependencies: tuple[str, ...] = ()
) -> Failure | Path:
    """Compile units, name -> code and files; the folder of the result, or what is wrong."""
    version = find_version(runtime).version or ""
    environment = environment_recipe(cache_folder(), runtime, version, dependencies)
    assert environment is not None
    failure = make(cache_folder(), environment)
    if failure is not None:
        return failure
    made = [Unit(name=name, code=code, files=files) for name, (code, files) in units.items()]
    recipe = build_recipe(cache_folder(), runtime, version, dependencies, made)
    assert recipe is not None
    return make(cache_folder(), recipe) or recipe.place
