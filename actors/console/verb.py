"""Parsers whose refusals name what was probably meant, and whose help shows verbs in groups, with examples."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from actors.console.guide import EXAMPLES, GROUPS

WIDTH = 80
INDENT = 14
MAX_LISTED = 12  # choices in a refusal


class Verb(argparse.ArgumentParser):
    """A verb: its help ends with its examples."""

    def format_help(self) -> str:
        """As argparse has it, and what to type."""
        name = self.prog.partition(" ")[2]
        examples = [f"  {line}" for line in EXAMPLES.get(name, ())]
        return super().format_help() + ("\n".join(["\nexamples:", *examples, ""]) if examples else "")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        known = [str(choice) for choice in action.choices]
        meant = _meant(value, known)
        parsers = action.choices.items() if isinstance(action.choices, dict) else ()
        if inner := [f"'{name} {value}'" for name, parser in parsers if value in actions(parser)]:
            meant = f"; did you mean {' or '.join(inner)}?"
        listed = f" (choose from {', '.join(known)})" if len(known) <= MAX_LISTED else ""
        more = "" if meant or listed else "; `runner help` lists what there is"
        raise argparse.ArgumentError(action, f"invalid choice: {value!r}{meant}{listed}{more}")

    def unknown(self, words: Sequence[str]) -> None:
        """End: nobody knows these arguments."""
        word = words[0].partition("=")[0]
        meant = _meant(word, self._option_string_actions) if word.startswith("-") else ""
        self.error(f"unrecognized arguments: {' '.join(words)}{meant}")


class RootParser(Verb):
    """`runner` itself: its help lists the verbs by what they are for."""

    def verbs(self) -> dict[str, Verb]:
        """The parser of each."""
        return actions(self)

    def format_help(self) -> str:
        """A line a verb; an example a group."""
        (action,) = (one for one in self._actions if isinstance(one, argparse._SubParsersAction))
        helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
        lines = [self.format_usage().rstrip(), "", f"{self.description} `runner help COMMAND` says more of one."]
        for title, group in GROUPS.items():
            lines += ["", f"{title}:"]
            for name in group:
                if name in helps:
                    lines += _row(name, helps[name])
            lines.append(f"    e.g. {next(EXAMPLES[name][0] for name in group if name in helps)}")
        lines.append("\noptions:")
        for option in self._actions:
            if option.option_strings:
                word = option.option_strings[-1] + (f" {option.metavar}" if option.metavar else "")
                lines += _row(word, option.help or "")
        return "\n".join(lines) + "\n"


def _row(name: str, help: str) -> list[str]:
    wrapped = textwrap.wrap(help, WIDTH - INDENT)
    return [f"  {name:{INDENT - 3}} {wrapped[0]}", *(" " * INDENT + line for line in wrapped[1:])]


def actions(parser: argparse.ArgumentParser) -> dict[str, Verb]:
    """The verbs of `runner`, or the actions of a verb."""
    found = next((one for one in parser._actions if isinstance(one, argparse._SubParsersAction)), None)
    return {} if found is None else dict(found.choices)


def parse(parser: RootParser, words: Sequence[str]) -> argparse.Namespace:
    """What the command line says; wrong usage ends the process, as in argparse, and names the options of the verb."""
    _refuse_in_front(parser, words)
    options, rest = parser.parse_known_args(words)
    if rest:
        options.parser.unknown(rest)
    return options


def _refuse_in_front(parser: RootParser, words: Sequence[str]) -> None:
    """End if an option of a verb stands in front of the verb; argparse would take its value for the verb."""
    own = parser._option_string_actions
    verbs = [*parser.verbs().values(), *(one for verb in parser.verbs().values() for one in actions(verb).values())]
    word = words[0].partition("=")[0] if words else ""
    if word.startswith("-") and word not in own and any(word in verb._option_string_actions for verb in verbs):
        parser.error(f"{word} stands behind the command: runner COMMAND {word} ...")


def find_verb(parser: RootParser, words: Iterable[str]) -> Verb:
    """The parser of `dead list`; ends the process if there is none of that name."""
    found: Verb = parser
    for word in words:
        known = actions(found)
        if word not in known:
            listed = f" ({', '.join(known)})" if known else ""
            parser.error(f"{found.prog} has no {word!r}{_meant(word, known)}{listed if found is not parser else ''}")
        found = known[word]
    return found


def _meant(word: Any, known: Iterable[str]) -> str:
    from actors.definition.places import closest  # only here

    close = closest(str(word)[:64], known)
    return "" if close is None else f"; did you mean {close!r}?"
