"""What goes wrong because of the user's input: shown without a traceback."""

from __future__ import annotations


class UserError(Exception):
    """One or more sentences for standard error; `usage` makes the exit status 2 instead of 1."""

    def __init__(self, *sentences: str, usage: bool = False) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences
        self.usage = usage
