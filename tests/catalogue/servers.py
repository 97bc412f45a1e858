"""Servers that tests start, restart and end: each in a folder of its own, at a port that is free."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

START_S = 180.0  # Kafka, on a busy machine


FIRST_PORT, PORTS = 20_000, 12_000  # below those that the kernel gives to connections: none of these takes one
_numbers = itertools.count(os.getpid() * 7919)  # other processes' tests begin elsewhere


def free_port() -> int:
    while True:
        port = FIRST_PORT + next(_numbers) % PORTS
        with socket.socket() as one, contextlib.suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port


class Server:
    """A program that listens. `user`: it refuses to be root's. `of_its_own`: the folder is to be removed."""

    def __init__(
        self, command: list[str], folder: Path, port: int, user: str | None = None, of_its_own: bool = False
    ) -> None:
        self.command, self.folder, self.port, self.user, self.of_its_own = command, folder, port, user, of_its_own
        self.process: subprocess.Popen[bytes] | None = None
        self.env: dict[str, str] = {}
        self.helper: list[str] = []  # a program that it needs beside it
        self._helping: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "server.log").open("ab") as log:
            if self.helper and self._helping is None:
                self._helping = subprocess.Popen(self.helper, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            self.process = subprocess.Popen(
                self.command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, user=self.user,
                group="nogroup" if self.user else None, start_new_session=True, env=os.environ | self.env,
            )  # fmt: skip
        end = time.monotonic() + START_S
        while True:
            assert self.process.poll() is None, (self.folder / "server.log").read_text()
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert time.monotonic() < end, (self.folder / "server.log").read_text()
                time.sleep(0.02)

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.send_signal(signal.SIGINT if self.user else signal.SIGTERM)  # postgres: fast, not smart
        try:
            self.process.wait(START_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process = None

    def end_helper(self) -> None:
        if self._helping is not None:
            self._helping.kill()
            self._helping.wait()

    def restart(self) -> None:
        self.stop()
        self.start()


@contextmanager
def served(server: Server) -> Iterator[Server]:
    try:
        server.start()
        yield server
    finally:
        server.stop()
        server.end_helper()
        if server.of_its_own:
            shutil.rmtree(server.folder)


def program(name: str, package: str) -> str:
    """Its path, or the test is skipped."""
    path = os.pathsep.join(
        [os.environ.get("PATH", ""), "/usr/sbin", *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
    )
    found = shutil.which(name, path=path)
    if found is None:
        pytest.skip(f"{name} is missing: apt-get install {package}")
    return found


def mosquitto(folder: Path) -> Server:
    command, port = program("mosquitto", "mosquitto"), free_port()
    (folder / "m.conf").write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {folder}/\n"
        f"max_queued_messages 0\nuser {'root' if os.getuid() == 0 else ''}\n".replace("user \n", "")
    )
    return Server([command, "-c", str(folder / "m.conf")], folder, port)


def redis_server(folder: Path) -> Server:
    command, port = program("redis-server", "redis-server"), free_port()
    words = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--appendonly", "yes", "--save", ""]
    return Server([command, *words], folder, port)


def nats_server(folder: Path) -> Server:
    command, port = program("nats-server", "nats-server"), free_port()
    return Server([command, "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(folder / "js")], folder, port)


def postgres(_folder: Path) -> Server:
    """Not below a folder of the test: pytest closes those to others, and it refuses to be root's."""
    command, initdb, port = program("postgres", "postgresql"), program("initdb", "postgresql"), free_port()
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    user, group = ("nobody", "nogroup") if os.getuid() == 0 else (None, None)
    if user is not None:
        shutil.chown(folder, user)
    made = [initdb, "-D", str(folder / "data"), "-U", "postgres", "--auth", "trust", "--no-sync"]
    subprocess.run(made, check=True, capture_output=True, user=user, group=group, cwd="/")
    words = [
        "-D",
        str(folder / "data"),
        "-p",
        str(port),
        "-k",
        "",
        "-c",
        "listen_addresses=127.0.0.1",
        "-c",
        "fsync=off",
    ]
    return Server([command, *words], folder, port, user, of_its_own=True)


def rabbitmq(folder: Path) -> Server:
    """With a port mapper of its own, which would stay otherwise."""
    command = "/usr/lib/rabbitmq/bin/rabbitmq-server"  # the one in PATH changes the user
    if not Path(command).exists():
        pytest.skip("rabbitmq-server is missing: apt-get install rabbitmq-server")
    port, mapper = free_port(), free_port()
    (folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\n")
    server = Server([command], folder, port)
    server.helper = [program("epmd", "erlang-base"), "-port", str(mapper), "-address", "127.0.0.1"]
    server.env = {
        "HOME": str(folder), "ERL_EPMD_PORT": str(mapper), "RABBITMQ_NODENAME": "test@localhost",
        "RABBITMQ_DIST_PORT": str(free_port()), "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"), "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"), "RABBITMQ_CONF_ENV_FILE": "/dev/null",
    }  # fmt: skip
    (folder / "plugins").write_text("[].\n")
    return server


KAFKA = "3.9.1"
POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>x</groupId><artifactId>x</artifactId><version>1</version><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{KAFKA}</version></dependency>
</dependencies></project>"""


def kafka(folder: Path) -> Server:
    """Its jars come by Maven, once a machine."""
    java, maven = program("java", "default-jre-headless"), program("mvn", "maven")
    jars = Path.home() / ".cache" / "runner-tests" / f"kafka-{KAFKA}"
    if not jars.is_dir():
        (folder / "pom.xml").write_text(POM)
        copy = [maven, "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={folder / 'jars'}"]
        subprocess.run(copy, cwd=folder, check=True, capture_output=True)
        jars.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(folder / "jars", jars)
    port, control = free_port(), free_port()
    conf = folder / "kafka.properties"
    conf.write_text(
        f"""node.id=1
process.roles=broker,controller
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{control}
controller.quorum.voters=1@127.0.0.1:{control}
controller.listener.names=CONTROLLER
log.dirs={folder / "data"}
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
auto.create.topics.enable=true
"""
    )
    run = [java, "-Xmx256m", "-cp", f"{jars}/*"]
    made = [*run, "kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", str(conf)]
    subprocess.run(made, check=True, capture_output=True, cwd=folder)
    return Server([*run, "kafka.Kafka", str(conf)], folder, port)


def moto(folder: Path) -> Server:
    port = free_port()
    command = [sys.executable, "-m", "uv", "run", "--no-project", "-q", "--python", sys.executable]
    return Server([*command, "--with", "moto[server]", "moto_server", "-H", "127.0.0.1", "-p", str(port)], folder, port)


def psql(port: int, text: str) -> list[str]:
    """The lines of an answer, fields between |; what comes too early is asked again."""
    command = [
        program("psql", "postgresql-client"),
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
        "-U",
        "postgres",
        "-Atqc",
        text,
    ]
    for _ in range(200):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout.splitlines()
        time.sleep(0.1)
    raise AssertionError(done.stderr)


def in_python(text: str, *packages: str) -> str:
    """What a program says that needs these packages; they are installed for it."""
    command = [sys.executable, "-m", "uv", "run", "--no-project", "-q", "--python", sys.executable]
    words = [word for package in packages for word in ("--with", package)]
    done = subprocess.run([*command, *words, "-"], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


Make = Callable[[Path], Server]
