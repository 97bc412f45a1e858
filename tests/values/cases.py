"""What is drawn: small trees of modules, and for each case (a message and what comes of it) a program per module.

A program is a list of steps, each a word and what it needs; it changes one value, which is the message at first:

| word | |
|---|---|
| `value` V, `make` NAME | a fresh copy of a JSON value; one of the language's odd values |
| `message`, `table`, `part`, `config`, `get` KEY | the message; the module's own lookup table, always the same object; `{"case", "v"}` with config's `part`, with config; the context's value |
| `dict`, `list`, `twice` (`tuple`) | the value in `{"case": CASE, "v": V}`, in `[CASE, V]`, in `[CASE, V, V]` |
| `mutate`, `mutate_message` | change everything in it that can be changed, also deep inside, but never the own table |
| `keep`, `keep_message`, `spoil` | remember the very object; change everything remembered so far, and forget it |
| `send` PORT, `send_with`, `set` KEY, `saw` | send it; send it from `out` with a header; keep it in the context; keep in the context what the message was, with all types, and its id as `id CASE` |
| `catch`, `catch_set` | send it from `out`, set it as `caught`; if that is refused, send from `side`, set, the case, the error's type and text |
| `fail`, `return` (`yields`) | raise; return it (return a generator of it twice, changed between) |

Without `return` a module returns nothing. A message tells its case: `{"case": N}`, `[N, ...]`, `"N:..."`; one that does not is returned.
"""  # noqa: E501

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.values.languages import LANGUAGES, Language

Step = list[Any]
Program = list[Step]
NAMES = "abcde"
VALUES: list[Any] = [
    None, True, 0, -1, 2**53 + 1, 1.5, 1e300, "", "text", "\x00\u2028\U0010ffff", [], {}, [[], {}],
    {"a": {"b": [1, 2]}}, {"": None}, [None, "null", {"null": None}],
    {"n": 1, "o": {"p": [3, {"q": 4}]}}, "$bytes", {"x$bytes": "YQ=="},
    "00000000-0000-0000-0000-000000000005", {"price": 20, "tags": ["a", "b"], "deep": {"r": [{"s": []}]}},
]  # fmt: skip
SMALL_LIMIT = 2500  # max_turn_bytes of some flows; the big values are over it


@dataclass(frozen=True)
class Tree:
    """A flow: by module its style, and who feeds it from which port; `a` is the root. `seed` makes the programs."""

    runtime: str
    styles: dict[str, str]
    feeders: dict[str, tuple[str, str]]
    outs: tuple[tuple[str, str], ...]  # ports with somebody outside who takes what leaves them
    limit: int | None
    headers: bool
    count: int
    seed: int

    @property
    def language(self) -> Language:
        """That of all its modules."""
        return LANGUAGES[self.runtime]

    @property
    def has_source(self) -> bool:
        """The root makes its messages itself."""
        return is_source(self.styles["a"])

    def programs(self) -> dict[str, dict[str, Program]]:
        """By module and case."""
        rng = random.Random(self.seed)
        return {
            name: {str(case): program(rng, self.language, is_source(style)) for case in range(self.count)}
            for name, style in self.styles.items()
        }

    def messages(self) -> list[Any]:
        """What the root gets."""
        rng = random.Random(self.seed + 1)
        return [
            rng.choice([{"case": case, "v": rng.choice(VALUES)}, [str(case), rng.choice(VALUES)], f"{case}:text"])
            for case in range(self.count)
        ]

    def deadly(self) -> dict[str, list[str]]:
        """By module the cases at which its process dies, once for each message of it; not what a source sends."""
        rng = random.Random(self.seed + 2)
        die: dict[str, list[str]] = {}
        names = [name for name, style in self.styles.items() if not is_source(style)]
        for _ in range(2):
            die.setdefault(rng.choice(names), []).append(str(rng.randrange(self.count)))
        return die


def is_source(style: str) -> bool:
    """Whether modules of this style make their messages themselves."""
    return style.startswith("source")


@st.composite
def trees(draw: st.DrawFn, language: Language, max_count: int) -> Tree:
    """A tree of 2 to 5 modules."""
    size = draw(st.integers(2, len(NAMES)))
    handlers = st.sampled_from([name for name in language.styles if not is_source(name)])
    sources = [name for name in language.styles if is_source(name)]
    plain = draw(st.booleans())  # rows of plain functions have a way of their own in some hosts
    styles = {name: "plain" if plain else draw(handlers) for name in NAMES[:size]}
    if sources and not draw(st.integers(0, 3)):
        styles["a"] = draw(st.sampled_from(sources))
    ports = st.sampled_from(["out", "out", "out", "out", "side", "error"])
    row = draw(st.booleans())
    feeders = {
        NAMES[at]: (NAMES[at - 1] if row else draw(st.sampled_from(NAMES[:at])), "out" if row else draw(ports))
        for at in range(1, size)
    }
    if is_source(styles["a"]):  # one that has failed fails again after a death of its host
        feeders = {to: (name, "out" if name == "a" else port) for to, (name, port) in feeders.items()}
    leaves = [(name, "out") for name in styles if name not in {feeder for feeder, _ in feeders.values()}]
    some = draw(st.sets(st.tuples(st.sampled_from(NAMES[:size]), st.sampled_from(["out", "side"])), max_size=2))
    outs = tuple(dict.fromkeys([*leaves[draw(st.integers(0, 1)) :], *sorted(some)]))
    return Tree(
        language.runtime, styles, feeders, outs, limit=draw(st.sampled_from([None, None, SMALL_LIMIT])),
        headers=draw(st.integers(0, 3)) == 0, count=draw(st.integers(1, max_count)), seed=draw(st.integers(0, 2**32)),
    )  # fmt: skip


def program(rng: random.Random, language: Language, is_source: bool) -> Program:
    """What one module does in one case."""
    steps: Program = []
    if rng.random() < 0.4:
        steps.append(["saw"])
    steps += _before(rng)
    steps += _value(rng, language, is_source)
    return steps + _after(rng, language, is_source)


def _before(rng: random.Random) -> Program:
    if rng.random() < 0.6:
        return []
    return [[rng.choice(["keep_message", "mutate_message", "spoil", "keep_message"])]]


def _value(rng: random.Random, language: Language, is_source: bool) -> Program:
    """Steps that come to a value."""
    kind = rng.choice(["message", "value", "value", "make", "make", "make", "table", "part", "config", "get"])
    if is_source and kind == "make" and rng.random() < 0.9:
        kind = "value"
    step: Step = [kind]
    if kind == "value":
        step.append(rng.choice(VALUES))
    elif kind == "make":
        step.append(rng.choice(language.odd))
    elif kind == "get":
        step.append(rng.choice("xy"))
    wraps = ["dict", "dict", "list", "twice", *(["tuple"] if "tuple" in language.words else [])]
    made = [step]
    if rng.random() < (1.0 if kind == "table" else 0.75):
        made.append([rng.choice(wraps)])
    if rng.random() < 0.25:
        made.append([rng.choice(wraps)])
    if rng.random() < 0.4:
        made.append([rng.choice(["keep", "keep", "mutate"])])
    return made


def _after(rng: random.Random, language: Language, is_source: bool) -> Program:
    steps: Program = []
    for _ in range(rng.choice([0, 0, 1, 1, 2, 3])):
        what = rng.choice(["send", "send", "side", "set", "with", "catch", "catch_set"])
        word = {
            "send": ["send", "out"],
            "side": ["send", "side"],
            "set": ["set", rng.choice("xy")],
            "with": ["send_with"],
        }
        steps.append(word.get(what, [what]))
        if rng.random() < 0.3:
            steps.append([rng.choice(["keep", "spoil"])])
    last = rng.random()
    if last < 0.1 and not is_source:
        steps.append(["fail"])
    elif last < 0.2 and "yields" in language.words and not is_source:
        steps.append(["yields"])
    elif last < 0.9:
        steps.append(["return"])
    return steps
