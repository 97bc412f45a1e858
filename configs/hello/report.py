"""One line a message, for people. Three wires end here, at a port each."""


def run(message, context):
    line = {"in": reading, "trend": trend, "peak": peak}[context.port](message)
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
