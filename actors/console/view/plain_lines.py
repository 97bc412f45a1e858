"""The console where there is no terminal: a line a second for each flow, and one for all that happens."""

from __future__ import annotations

import sys
import time

from actors.console.text import plain, short
from actors.console.view.drawing import mebibytes, share
from actors.console.view.flow_head import flow_word, sentence, totals
from actors.console.view.picture import Picture
from actors.console.view.watching import Watch

EVERY_S = 1.0


def print_lines(watch: Watch, flow: str | None, count: int | None) -> None:
    """Until all runners have ended, or each flow has had so many lines."""
    while count is None or count > 0:
        time.sleep(EVERY_S)
        for event in watch.take_new():
            if flow in (None, event.flow) or not event.flow:
                _print(event.time, f"{event.flow + ': ' if event.flow else ''}{event.text}")
        pictures = [picture for picture in watch.pictures() if flow in (None, picture.flow) and picture.ended is None]
        for picture in pictures:
            _print(time.time(), flow_text(picture, time.monotonic()))
        sys.stdout.flush()
        if count is not None and pictures:
            count -= 1
        if all(door.ended is not None for door in list(watch.doors.values())):
            return


def flow_text(picture: Picture, now: float) -> str:
    """A flow in a line."""
    state = picture.state
    assert state is not None
    sums = totals(state)
    return (
        f"{picture.flow} {flow_word(picture, now)[0].lstrip('●‖ ')} v{state['version']}: {short(sums['inPerS'])}/s, "
        f"{short(sums['queued'])} waiting, {short(sums['errors'])} errors, {short(state['deadLetters'])} dead, "
        f"cpu {share(sums['cpu'])}, {mebibytes(sums['memory'])}; {sentence(picture)}"
    )


def _print(when: float, text: str) -> None:
    print(time.strftime("%H:%M:%S", time.localtime(when)), plain(text))
