"""The reference pages: of the commands, the API, the files and the runtimes, from what defines them.

`python -m actors.console.reference docs/reference` writes them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from actors.console.catalogue_page import catalogue_page
from actors.console.cli import root_parser
from actors.console.guide import EXAMPLES, GROUPS
from actors.console.verb import Verb, actions
from actors.definition.agent import agent_schema
from actors.definition.deployment import deployment_schema
from actors.definition.matchers import MATCHERS, PORT_MATCHERS
from actors.definition.schema import flow_schema
from actors.messages.client_to_runner import REQUESTS, Command
from actors.messages.parameters import Parameter, parameters
from runtimes.manifest import RUNTIMES_FOLDER, load_runtimes

MADE = "<!-- Made by scripts/reference; do not edit. -->"


def pages() -> dict[str, str]:
    """File name -> text."""
    found = {
        "commands.md": _commands(),
        "api.md": _api(),
        "flow-file.md": _file("The flow file", flow_schema(), "flow"),
        "deployment-file.md": _file("The deployment file", deployment_schema(), "deployment"),
        "agent-file.md": _file("The agent file", agent_schema(), "agent"),
        "runtimes.md": _runtimes(),
    }
    return {name: "\n".join([MADE, "", *lines]).rstrip() + "\n" for name, lines in found.items()}


# commands ------------------------------------------------------------------------------------------------------------


def _commands() -> Iterator[str]:
    verbs = actions(root_parser())
    yield from ("# Commands", "")
    yield "`runner help COMMAND` says the same on the command line. Exit status: 0; 1 refused, with the reason on"
    yield "standard error; 2 wrong usage. `--state DIR` is on every command, `--json` on most."
    grouped = {title: [name for name in group if name in verbs] for title, group in GROUPS.items()}
    for title, names in grouped.items():
        yield from ("", f"## {title.capitalize()}")
        for name in names:
            yield from _verb(f"runner {name}", verbs[name])


def _verb(name: str, verb: Verb) -> Iterator[str]:
    inner = actions(verb)
    yield from ("", f"### {name}", "", _plain(verb.description or ""))
    if inner:
        for word, action in inner.items():
            yield from _verb(f"{name} {word}", action)
        return
    rows = [row for action in verb._actions if (row := _argument(action)) is not None]
    if rows:
        yield from ("", *rows)
    yield from ("", "```sh", *EXAMPLES.get(name.removeprefix("runner "), ()), "```")


def _argument(action: argparse.Action) -> str | None:
    if action.dest in ("help", "state", "json") or isinstance(action, argparse._SubParsersAction):
        return None
    choices = "" if action.choices is None else "|".join(map(str, action.choices))
    value = choices or str(action.metavar or action.dest)
    takes_none = isinstance(action, (argparse._StoreTrueAction, argparse._StoreConstAction))
    if action.option_strings:
        shown = f"[{value}]" if action.nargs == "?" else value
        words = ", ".join(action.option_strings) + ("" if takes_none else f" {shown}")
    else:
        words = value + ("..." if action.nargs in ("+", "*") else "")
    optional = " (may be left out)" if action.nargs in ("?", "*") and not action.option_strings else ""
    help = "" if action.help is None else f": {_plain(action.help)}"
    return f"- `{words}`{optional if not help else ''}{help}"


# the API -------------------------------------------------------------------------------------------------------------


def _api() -> Iterator[str]:
    yield from ("# Calls of the Runner API", "")
    yield "What is a call, how it is made, and what it answers: [the API](../api.md)."
    kind: Any
    for method, kind in REQUESTS.items():
        answer = "" if not issubclass(kind, Command) else " Answers true, or is refused."
        yield from ("", f"## {method}", "", f"{_plain(kind.__doc__ or '')}{answer}")
        rows = [_parameter(one) for one in parameters(kind)]
        yield from (["", *rows] if rows else [])


def _parameter(one: Parameter) -> str:
    shown = "" if one.is_needed or one.default is None else f", else {json.dumps(one.default)}"
    return f"- `{one.camel}`{'' if one.is_needed else ' (may be left out)'}: {one.words}{shown}"


# files ---------------------------------------------------------------------------------------------------------------


def _file(title: str, schema: dict[str, Any], kind: str) -> Iterator[str]:
    definitions = schema.get("$defs", {})
    yield from (f"# {title}", "", _plain(str(schema["description"])), "")
    yield f"`runner schema {kind}` prints the JSON Schema, for editors."
    if not definitions:
        yield from ("", *_fields(schema, definitions, ""))
        return
    for name, its in definitions.items():
        if "properties" in its:
            yield from ("", f"## {name.capitalize()}", "", *_fields(its, definitions, ""))
    yield from ("", "## Matchers", "")
    wanted = {name: matcher.wants for name, matcher in MATCHERS.items()} | PORT_MATCHERS
    yield from (f"- `{name}`: {text}" for name, text in wanted.items())


def _fields(schema: dict[str, Any], definitions: dict[str, Any], indent: str) -> Iterator[str]:
    needed = schema.get("required", [])
    for name, raw in schema["properties"].items():
        its = {**definitions.get(str(raw.get("$ref", "")).rpartition("/")[2], {}), **raw}
        notes = [", ".join(_as_list(its.get("type", "any value")))]
        notes += ["needed"] if name in needed else []
        notes += [f"one of {', '.join(map(str, its['enum']))}"] if "enum" in its else []
        notes += [f"else {json.dumps(its['default'])}"] if "default" in its else []
        text = _plain(str(raw.get("description", its.get("description", ""))))
        yield f"{indent}- `{name}` ({'; '.join(notes)}){': ' + text if text else ''}"
        inner = its.get("additionalProperties") if its.get("type") == "object" else its.get("items")
        if "properties" in its:
            yield from _fields(its, definitions, indent + "    ")
        elif isinstance(inner, dict) and "properties" in inner:
            yield from _fields(inner, definitions, indent + "    ")


def _as_list(value: Any) -> list[str]:
    return value if isinstance(value, list) else [str(value)]


# runtimes ------------------------------------------------------------------------------------------------------------


def _runtimes() -> Iterator[str]:
    yield from ("# Runtimes", "", "What the manifests say (`runtimes/NAME/runtime.yaml`). `runner runtimes` says what")
    yield from ("this machine has.", "")
    for runtime in load_runtimes([RUNTIMES_FOLDER]).values():
        yield from (f"## {runtime.id}", "", f"{runtime.name}.", "")
        yield f"- oldest version: {runtime.minimum}"
        yield f"- installed by `{runtime.install}`"
        yield f"- files: {', '.join(f'`{extension}`' for extension in runtime.extensions)}"
        yield f"- new code is loaded {'into the host that runs' if runtime.hot_load else 'by a new host'}"
        yield f"- dependencies: {'an environment for each set' if runtime.environment else 'none'}"
        yield from (*(["- modules are compiled before they run"] if runtime.build else []), "")


def _plain(text: str) -> str:
    """A sentence in one line, whose brackets are no HTML."""
    return " ".join(text.split()).replace("<", "&lt;")


def main() -> None:
    """Write all pages into the folder that is named, and the catalogue's beside it."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, "utf-8")
    (folder.parent / "catalogue.md").write_text(catalogue_page(), "utf-8")


if __name__ == "__main__":
    main()
