"""Hands on texts; a list of bytes it writes into every pipe it finds."""

import os
import stat


def run(message, _):
    if isinstance(message, str):
        return message
    for fd in range(3, 64):
        try:
            if stat.S_ISFIFO(os.fstat(fd).st_mode):
                os.write(fd, bytes(message))
        except OSError:
            pass
    return "written"
