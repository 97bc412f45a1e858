"""The gateway with a certificate: requests, large bodies, WebSockets; and who speaks without TLS is let go."""

from __future__ import annotations

import contextlib
import datetime
import http.client
import ipaddress
import json
import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.sync.client import connect

from tests.deployments import Plant, plant
from tests.test_run import wait_for


def make_certificate(folder: Path) -> None:
    """For 127.0.0.1, signed by itself."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    (folder / "c.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "k.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))


def way_in(up: Plant) -> tuple[str, int, str]:
    found = urlsplit(up.cli("open").stdout.strip())
    assert found.scheme == "https"
    return found.hostname or "", found.port or 0, found.fragment.removeprefix("token=")


def test_everything_goes_through_tls(tmp_path: Path) -> None:
    make_certificate(tmp_path)
    tls = {"certificate": "c.pem", "key": "k.pem"}
    with plant(tmp_path, gateway={"listen": "127.0.0.1:0", "tls": tls}) as up:
        up.wait_until_up()
        host, port, token = way_in(up)
        context = ssl.create_default_context(cafile=str(tmp_path / "c.pem"))
        connection = http.client.HTTPSConnection(host, port, timeout=60, context=context)
        told = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"}
        lines = [json.dumps({"n": n, "text": "x" * 1000}).encode() for n in range(3000)]
        for body, status in ((b"\n".join(lines), 202), (b"{}\n" * 2_000_000, 413)):
            connection.request("POST", "/in/echo/a", body, told)
            answer = connection.getresponse()
            assert (answer.status, bool(answer.read())) == (status, True)
        connection.close()
        protocols = ["runner.v1", f"token.{token}"]
        with connect(f"wss://{host}:{port}/rpc", ssl=context, subprotocols=protocols, compression=None) as websocket:  # type: ignore[arg-type]
            for number in range(200):
                websocket.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": "audit"}))
            answers = [json.loads(websocket.recv(30)) for _ in range(200)]
        assert {answer["result"]["echo/a"]["accepted"] for answer in answers} == {3000}
        with socket.create_connection((host, port), timeout=60) as plain:
            plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            with contextlib.suppress(ConnectionResetError):
                assert b"200" not in plain.recv(4096)


def test_a_certificate_is_renewed_while_everything_goes_on(tmp_path: Path) -> None:
    """Files are replaced one after the other: what does not fit together yet is not used, and said once."""
    make_certificate(tmp_path)
    with plant(tmp_path, gateway={"listen": "127.0.0.1:0", "tls": {"certificate": "c.pem", "key": "k.pem"}}) as up:
        up.wait_until_up()
        host, port, _ = way_in(up)
        before = ssl.get_server_certificate((host, port), timeout=60)
        (tmp_path / "new").mkdir()
        make_certificate(tmp_path / "new")
        after = (tmp_path / "new" / "c.pem").read_text()
        (tmp_path / "new" / "c.pem").rename(tmp_path / "c.pem")
        for _ in range(3):
            assert ssl.get_server_certificate((host, port), timeout=60) == before
        wait_for(lambda: f"WARNING {tmp_path / 'c.pem'}: cannot be used with" in up.log.read_text())
        assert up.log.read_text().count("the certificate from before is used on") == 1
        (tmp_path / "k.pem").unlink()
        assert ssl.get_server_certificate((host, port), timeout=60) == before
        (tmp_path / "new" / "k.pem").rename(tmp_path / "k.pem")
        assert ssl.get_server_certificate((host, port), timeout=60) == after != before
        wait_for(lambda: f"{tmp_path / 'k.pem'}: No such file or directory; the certificate" in up.log.read_text())


@pytest.mark.parametrize(
    ("name", "sentence"), [("no.pem", "no.pem: No such file"), ("plant.json", "plant.json: cannot be used with")]
)
def test_a_certificate_that_cannot_be_used(tmp_path: Path, name: str, sentence: str) -> None:
    make_certificate(tmp_path)
    with plant(tmp_path, gateway={"listen": "127.0.0.1:0", "tls": {"certificate": name, "key": "k.pem"}}) as up:
        assert up.process.wait(60) == 1
        assert sentence in up.log.read_text()
        assert "Traceback" not in up.log.read_text()
