"""A line of an access log, as its fields."""

import re
from datetime import datetime

LINE = re.compile(r'(\S+) \S+ \S+ \[([^]]+)\] "(\S+) (\S+)[^"]*" (\d{3}) (\d+|-)')


def run(line, context):
    found = LINE.match(line)
    if found is None:
        context.send("bad", line)
        return None
    ip, at, method, path, status, size = found.groups()
    return {
        "at": datetime.strptime(at, "%d/%b/%Y:%H:%M:%S %z").timestamp(), "ip": ip, "method": method, "path": path,
        "site": path.split("/")[1], "status": int(status), "bytes": 0 if size == "-" else int(size),
    }  # fmt: skip
