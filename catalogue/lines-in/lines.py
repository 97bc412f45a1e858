"""What files have, line by line: text, NDJSON or CSV. Where it stands in each file is in the context."""

import asyncio
import csv
import io
import json
import os
import zlib
from glob import glob, has_magic

HEAD = 256  # first bytes of a file, by which another one under its name is known


def start(context):
    """What is read to its end is read in a thread, many lines at a time; to wait for more is for the event loop."""
    return following(context) if context.config["follow"] else to_the_end(context)


def to_the_end(context):
    look(context)
    idle = False
    while not idle:
        idle = True
        for value in news(context):
            idle = False
            yield value


async def following(context):
    look(context)
    while True:
        idle = True
        for value in news(context):
            idle = False
            yield value
        if idle:
            await asyncio.sleep(context.config["poll_s"])


def paths_of(config):
    return [path for path in sorted(glob(config["path"], recursive=True)) if os.path.isfile(path)]


def news(context):
    """What is new in the files: a value, or None for a line that is none."""
    config = context.config
    paths = paths_of(config)
    settle(context, paths, config)
    for path in paths:
        for port, value, place in records(path, context.get(path), config):
            context.set(path, place)
            if port == "bad":
                context.send(port, value)
            yield value if port == "out" else None


def look(context):
    """At first there may be nothing. A file that is named and is not there is a mistake, unless it is waited for."""
    config, path = context.config, context.config["path"]
    if paths_of(config) or context.keys():
        return
    if not has_magic(path) and not config["follow"]:
        raise FileNotFoundError(
            f"{path} is a folder: name its files, {path}/*" if os.path.isdir(path) else f"there is no file {path}"
        )
    print(f"there is no file {path} yet")


def settle(context, paths, config):
    """Where to begin in each file: where it was left, under another name, too; files that have gone are forgotten."""
    known = {path: context.get(path) for path in context.keys()}
    for path in paths:
        with open(path, "rb") as file:
            if path not in known or not is_same(file, known[path]):
                begin = {"at": 0, "lines": 0, "ino": os.fstat(file.fileno()).st_ino, "head": 0, "head_size": 0}
                if config["follow"] and config["from_end"] and path not in known:
                    begin["at"] = file.seek(0, os.SEEK_END)
                context.set(path, next((place for place in known.values() if is_same(file, place)), begin))
    for path in known.keys() - set(paths):
        context.delete(path)


def is_same(file, place):
    """No: it is another one, or has been cut."""
    stat, head = os.fstat(file.fileno()), os.pread(file.fileno(), place["head_size"], 0)
    return stat.st_ino == place["ino"] and stat.st_size >= place["at"] and zlib.crc32(head) == place["head"]


def records(path, place, config):
    """Yields port, value, and the place behind it: `at` bytes, `lines`; of CSV also its `names`."""
    with open(path, "rb") as file:
        file.seek(place["at"])
        record = b""
        for line in file:
            record += line
            if not line.endswith(b"\n") and config["follow"]:
                return  # the rest is still to come
            if config["format"] == "csv" and record.count(b'"') % 2 and line.endswith(b"\n"):
                continue  # a line break in quotes
            place = {**place, "at": place["at"] + len(record), "lines": place["lines"] + record.count(b"\n")}
            if place["head_size"] < HEAD:
                size = min(place["at"], HEAD)
                place |= {"head_size": size, "head": zlib.crc32(os.pread(file.fileno(), size, 0))}
            port, value = parsed(record, place, path, config["format"])
            record = b""
            yield port, value, place


def parsed(record, place, path, kind):
    """Port and value; no port: there is nothing to send."""
    try:
        text = record.decode("utf-8-sig" if place["at"] == len(record) else "utf-8").rstrip("\r\n")  # a byte order mark
        if kind == "lines":
            return "out", text
        if not text:
            return None, None
        if kind == "ndjson":
            return "out", json.loads(text)
        (row,) = csv.reader(io.StringIO(text))
        if "names" not in place:
            place["names"] = row
            return None, None
        if len(row) != len(place["names"]):
            raise ValueError(f"{len(row)} fields, where the first line has {len(place['names'])}")
        return "out", dict(zip(place["names"], row, strict=True))
    except ValueError as error:
        text = record.decode(errors="replace")
        return "bad", {"path": path, "line": place["lines"], "text": text, "error": str(error)}
