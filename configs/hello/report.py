"""One line a message, for people. Two wires end here, at two ports."""


def run(message, context):
    line = trend(message) if context.port == "trend" else reading(message)
    context.log("info", line)
    return line


def reading(m):
    return (
        f"#{m['n']}  cpu {m['cpu_percent']:.1f} %  memory {m['memory_percent']:.1f} %  load {m['load']:.2f}"
        f"  disk {m['disk_kb_s']:.1f} kB/s  net {m['net_kb_s']:.1f} kB/s"
    )


def trend(m):
    return f"#{m['n']}  cpu is {m['cpu']}: {m['from']:.1f} % -> {m['to']:.1f} %"
