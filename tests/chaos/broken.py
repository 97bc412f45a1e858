"""A runner that breaks a promise on purpose: `python broken.py HOW ARGUMENTS...` is `runner ARGUMENTS...`."""

from __future__ import annotations

import sys
from typing import Any

from actors.console.cli import main
from actors.module.succession import Succession
from actors.state.mailbox import Mailbox


def forgetful(taken: Any) -> Any:
    """An update loses the context of what it replaces."""

    def take_over(self: Any, message: Any, sender: Any) -> None:
        message.state.change_context({})
        taken(self, message, sender)

    return take_over


def losing(taken_back: Any) -> Any:
    """What a dead host had is not all given to the next one."""

    def take_back(self: Any, flag: int) -> None:
        taken_back(self, flag)
        if flag and self.queued:
            self.take_head()

    return take_back


if __name__ == "__main__":
    match sys.argv.pop(1):
        case "forgetful":
            Succession.receiveMsg_TakeOver = forgetful(Succession.receiveMsg_TakeOver)  # type: ignore[method-assign]
        case "losing":
            Mailbox.take_back = losing(Mailbox.take_back)  # type: ignore[method-assign]
    sys.exit(main())
