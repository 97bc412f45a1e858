"""A source: yields this machine's figures. Its position is in the context: a restart neither loses nor repeats."""

import time

import psutil


def start(context):
    every_s = context.config["every_s"]
    psutil.cpu_percent()  # the first call only starts the measurement
    disk, net = transferred()
    for n in range(context.get("n", 0) + 1, context.config["readings"] + 1):
        time.sleep(every_s)
        disk_before, net_before = disk, net
        disk, net = transferred()
        context.set("n", n)  # commits together with the reading
        yield {
            "n": n,
            "cpu_percent": psutil.cpu_percent(),
            "memory_percent": psutil.virtual_memory().percent,
            "load": round(psutil.getloadavg()[0], 2),
            "disk_kb_s": round((disk - disk_before) / 1000 / every_s, 1),
            "net_kb_s": round((net - net_before) / 1000 / every_s, 1),
        }


def transferred():
    """Bytes read and written so far, on disks and networks; 0 where the machine shows none."""
    disk, net = psutil.disk_io_counters(), psutil.net_io_counters()
    return (
        disk.read_bytes + disk.write_bytes if disk else 0,
        net.bytes_recv + net.bytes_sent if net else 0,
    )
