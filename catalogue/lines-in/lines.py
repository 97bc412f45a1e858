"""What files have, line by line: text, NDJSON or CSV. Where it stands in each file is in the context."""

import asyncio
import contextlib
import os
import zlib
from glob import glob, has_magic

from records import parsed, taken

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
    is_first = True
    while True:
        idle = True
        for value in news(context, is_first):
            idle = False
            yield value
        is_first = False
        if idle:
            await asyncio.sleep(context.config["poll_s"])


def paths_of(config):
    return [path for path in sorted(glob(config["path"], recursive=True)) if os.path.isfile(path)]


def news(context, is_first=False):
    """What is new in the files: a value, or None for a line that is none."""
    config = context.config
    for path in settled(context, paths_of(config), config, is_first):
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


def settled(context, paths, config, is_first):
    """The files to read, and in the context where: where it was left, under another name, too. What was rotated out of
    our sight comes first, for what had been written to it before; files that have gone are forgotten.
    """
    known = {path: context.get(path) for path in context.keys()}
    is_new = not any(path in paths or place.get("left") == config["path"] for path, place in known.items())
    here = {}
    for path in paths:
        with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:  # it may be renamed at any moment
            here[path] = os.fstat(file.fileno()).st_ino
            if path not in known or not is_same(file, known[path]):
                begin = {"at": 0, "lines": 0, "ino": here[path], "head": 0, "head_size": 0}
                if is_first and is_new and config["follow"] and config["from_end"]:
                    begin["at"] = file.seek(0, os.SEEK_END)
                context.set(path, next((place for place in known.values() if is_same(file, place)), begin))
    for path in known.keys() - here.keys():
        context.delete(path)
    rotated = []
    for path, place in known.items():
        if config["follow"] and place["ino"] not in here.values() and (name := renamed(path, place, config)):
            context.set(name, place | {"left": config["path"]})
            rotated.append(name)
    return [*rotated, *here]


def renamed(path, place, config):
    """The name that a file has now in its folder, if that is another one."""
    with contextlib.suppress(OSError), os.scandir(os.path.dirname(path) or ".") as entries:  # it may be gone again
        for name in [entry.path for entry in entries if entry.inode() == place["ino"] and entry.is_file()]:
            with open(name, "rb") as file:
                if is_same(file, place) and (name != path or place.get("left") == config["path"]):
                    return name
    return None


def is_same(file, place):
    """No: it is another one, or has been cut."""
    stat, head = os.fstat(file.fileno()), os.pread(file.fileno(), place["head_size"], 0)
    return stat.st_ino == place["ino"] and stat.st_size >= place["at"] and zlib.crc32(head) == place["head"]


def records(path, place, config):
    """Yields port, value, and the place behind it: `at` bytes, `lines`; of CSV also its `names`."""
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
        if not is_same(file, place):
            return  # since a moment ago
        file.seek(place["at"])
        while True:
            record, fault, is_whole = taken(file, place["at"], config["format"])
            if not record or (config["follow"] and not is_whole):
                return  # the rest is still to come
            at = file.tell() if fault else place["at"] + len(record)
            place = {**place, "at": at, "lines": place["lines"] + record.count(b"\n")}
            if place["head_size"] < HEAD:
                size = min(place["at"], HEAD)
                place |= {"head_size": size, "head": zlib.crc32(os.pread(file.fileno(), size, 0))}
            port, value = parsed(record, fault, place, path, config["format"])
            yield port, value, place
