"""One line of a file, or one row of CSV, and its value."""

import contextlib
import csv

import flow

MAX_BYTES = 15 << 20  # of a line or row: a message has 16 MiB at most
MAX_SHOWN = 10_000  # characters of a text that is bad
csv.field_size_limit(MAX_BYTES)  # theirs is 128 KiB


def taken(file, begin, kind):
    """A line, or as many as a row of CSV has, for there may be line breaks in quotes; what is wrong with it; whether it
    has its end.
    """
    record = file.readline(MAX_BYTES)
    if len(record) == MAX_BYTES and not record.endswith(b"\n"):
        rest = record
        while rest and not rest.endswith(b"\n"):
            rest = file.readline(MAX_BYTES)
        return record, f"the line has more than {MAX_BYTES} bytes", rest != b""
    if kind != "csv" or b'"' not in record:
        return record, "", record.endswith(b"\n")
    parts, is_closed = [record], True

    def text():
        nonlocal is_closed
        yield record.decode(errors="replace")
        while file.tell() - begin < MAX_BYTES and (line := file.readline(MAX_BYTES)):
            parts.append(line)
            yield line.decode(errors="replace")
        is_closed = False

    with contextlib.suppress(csv.Error):  # that is told when it is read
        next(csv.reader(text()))
    if is_closed:
        return b"".join(parts), "", parts[-1].endswith(b"\n")
    is_too_long = file.tell() - begin >= MAX_BYTES
    file.seek(begin + len(record))  # the lines behind it may be rows
    return record, "a quote is opened and not closed", is_too_long


def parsed(record, fault, place, path, kind):
    """Port and value; no port: there is nothing to send."""
    try:
        if fault:
            raise ValueError(fault)
        text = record.decode("utf-8-sig" if place["at"] == len(record) else "utf-8").rstrip("\r\n")  # a byte order mark
        if kind == "lines":
            return "out", text
        if not text:
            return None, None
        if kind == "ndjson":
            value = flow.parse_json(text)
            return "out", flow.NULL if value is None else value
        (row,) = csv.reader([text])
        if "names" not in place:
            place["names"] = row
            return None, None
        if len(row) != len(place["names"]):
            raise ValueError(f"{len(row)} fields, where the first line has {len(place['names'])}")
        return "out", dict(zip(place["names"], row, strict=True))
    except (ValueError, csv.Error) as error:
        text = record[: 4 * MAX_SHOWN].decode(errors="replace")[:MAX_SHOWN]
        return "bad", {"path": path, "line": place["lines"], "text": text, "error": str(error)}
