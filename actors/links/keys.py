"""The keys of a deployment: an authority, and for each runner a certificate that says its name.

A folder has `ca.crt`, `ca.key`, and for each runner `NAME.crt` and `NAME.key`. A machine needs `ca.crt` and what bears
its runners' names, never `ca.key`.
"""

from __future__ import annotations

import datetime
import os
import ssl
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_VALID = datetime.timedelta(days=3650)
_EARLY = datetime.timedelta(days=1)  # clocks differ
_PREFIX = "runner:"


class Contexts(NamedTuple):
    """What TLS needs of one runner, as the side that is connected to and as the side that connects."""

    server: ssl.SSLContext
    client: ssl.SSLContext


def make_authority(folder: Path, deployment: str) -> None:
    """A new one, in a folder of its own. Raises FileExistsError if there is one: rotate it instead."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"runners of {deployment}")])
    builder = _builder(name, name, key).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    _write(folder / "ca.key", _private(key))
    _write(folder / "ca.crt", builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))


def make_certificate(folder: Path, runner: str) -> None:
    """For the runner of that name, by the folder's authority. Raises FileExistsError if it has one."""
    authority = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
    authority_key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
    assert isinstance(authority_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, runner)])
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    certificate = (
        _builder(name, authority.subject, key)
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(_PREFIX + runner)]), critical=False)
        .add_extension(usage, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    _write(folder / f"{runner}.key", _private(key))
    _write(folder / f"{runner}.crt", certificate.public_bytes(serialization.Encoding.PEM))


def contexts(folder: Path, runner: str) -> Contexts:
    """Of a runner: TLS 1.3, both sides show a certificate of the authority. Raises OSError if a file is not there."""
    found = []
    for side in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT):
        context = ssl.SSLContext(side)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False  # a certificate has a runner's name: `peer_name`
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(folder / "ca.crt")
        context.load_cert_chain(folder / f"{runner}.crt", folder / f"{runner}.key")
        found.append(context)
    found[0].num_tickets = 0  # else the client's first read is a ticket
    return Contexts(*found)


def peer_name(connection: ssl.SSLSocket) -> str | None:
    """The runner whose certificate the other side has shown."""
    shown = connection.getpeercert(binary_form=True)
    if shown is None:
        return None
    try:
        extension = x509.load_der_x509_certificate(shown).extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
    except (ValueError, x509.ExtensionNotFound):
        return None
    names = extension.value.get_values_for_type(x509.UniformResourceIdentifier)
    return names[0].removeprefix(_PREFIX) if len(names) == 1 and names[0].startswith(_PREFIX) else None


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - _EARLY).not_valid_after(now + _VALID)
    )  # fmt: skip


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(data)
