"""One line a message, for people. Every wire ends here at a port of its own."""


def run(message, context):
    line = {"in": reading, "trend": trend, "peak": peak, "swing": swing, "bands": bands}[context.port](message)
    context.log("info", line)
    return line


def reading(m):
    return (
        f"#{m['n']}  cpu {m['cpu_percent']:.1f} %  memory {m['memory_percent']:.1f} %  load {m['load']:.2f}"
        f"  disk {m['disk_kb_s']:.1f} kB/s  net {m['net_kb_s']:.1f} kB/s"
    )


def trend(m):
    return f"#{m['n']}  cpu is {m['cpu']}: {m['from']:.1f} % -> {m['to']:.1f} %"


def peak(m):
    return f"#{m['n']}  cpu is at its peak: {m['peak']:.1f} %, before {m['before']:.1f} %"


def swing(m):
    return f"#{m['n']:.0f}  cpu jumps by {m['points']:+.1f} points"


def bands(m):
    return f"#{m['n']:.0f}  readings so far: " + ", ".join(f"{count} {band}" for band, count in m["bands"].items())
