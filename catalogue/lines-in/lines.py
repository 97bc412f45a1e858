"""What files have, line by line: text, NDJSON or CSV. Where it stands in each file is in the context."""

import asyncio
import csv
import io
import json
import os
import zlib
from glob import glob, has_magic

HEAD = 256  # first bytes of a file, by which another one under its name is known


async def start(context):
    config, is_first = context.config, not context.keys()
    while True:
        idle = True
        paths = [path for path in sorted(glob(config["path"], recursive=True)) if os.path.isfile(path)]
        if is_first and not paths:
            missing(config)
        is_first = False
        settle(context, paths, config)
        for path in paths:
            for port, value, place in records(path, context.get(path), config):
                context.set(path, place)
                idle = False
                if port == "bad":
                    context.send(port, value)
                yield value if port == "out" else None
        if idle and not config["follow"]:
            return
        if idle:
            await asyncio.sleep(config["poll_s"])


def missing(config):
    """There is nothing yet. A file that is named and is not there is a mistake, unless it is waited for."""
    path = config["path"]
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
