"""Lines at the end of a file: NDJSON, text or CSV. How far it has written is in the context; what is behind that when
it starts again was written by a turn that did not happen, and is cut off.
"""

import base64
import csv
import io
import json
import os

out = None  # the open file's descriptor


def check_config(config):
    if "rotate_mb" in config and "{n}" not in config["path"]:
        return {"path": "needs {n} in it, the number of the file, since there is `rotate_mb`"}


def start(context):
    """Where our lines begin is known before there is one: what a turn has written that did not happen is cut off."""
    if context.get("at") is None:
        path = path_of(context.config, 0)
        is_there = context.config["existing"] != "replace" and os.path.exists(path)
        context.set("at", os.path.getsize(path) if is_there else 0)


def run(message, context):
    global out
    config, n, at = context.config, context.get("n", 0), context.get("at")
    if out is None or (config.get("rotate_mb") and at >= config["rotate_mb"] << 20):
        if out is not None:
            os.close(out)
            n, at = n + 1, 0
        out, at = opened(path_of(config, n), at)
        context.set("n", n)
    text = line(message, context, config, is_first=at == 0).encode()
    view = memoryview(text)
    while view:  # a disk that is full raises: the turn fails, and what it has written is cut off
        view = view[os.pwrite(out, view, at + len(text) - len(view)) :]
    context.set("at", at + len(text))


def stop(context):
    global out
    if out is not None:
        os.close(out)
        out = None


def path_of(config, n):
    """`{n}` in the path is the number of the file, from 1."""
    return config["path"].replace("{n}", f"{n + 1:06}")


def opened(path, at):
    """The descriptor, and where to go on."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    size = os.fstat(fd).st_size
    if at > size:  # somebody has cut it
        return fd, size
    os.ftruncate(fd, at)
    return fd, at


def line(message, context, config, is_first):
    if config["format"] == "lines":
        return f"{message if isinstance(message, str) else json.dumps(message, ensure_ascii=False, default=plain)}\n"
    if config["format"] == "ndjson":
        return json.dumps(message, ensure_ascii=False, separators=(",", ":"), default=plain) + "\n"
    names = config.get("columns") or context.get("columns") or list(message)
    context.set("columns", names)
    return (row(names) if is_first else "") + row([cell(message.get(name)) for name in names])


def row(cells):
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)  # both are quoted, then
    return text.getvalue().removesuffix("\r\n") + "\n"


def cell(value):
    return json.dumps(value, ensure_ascii=False, default=plain) if isinstance(value, (dict, list, bool)) else value


def plain(value):
    """What JSON has no word for: a null that is the whole message, and bytes."""
    return {"$bytes": base64.b64encode(value).decode()} if isinstance(value, bytes) else None
