"""The keys of a deployment: an authority, for each runner a certificate that says its name, and the control key.

A folder has `ca.crt` (whom to believe: one authority, or two while keys are being replaced), `ca.key`, `control.key`
(system/sealing.py) and `runners/NAME.pem`, a key with its certificate. A machine needs all but `ca.key`, and only its
runners' names. How people make, hand on and replace all that: deployment/key_folder.py.
"""

from __future__ import annotations

import datetime
import os
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from actors.made_of_files import MadeOfFiles
from actors.system.sealing import key_lines, new_key

CA, CA_KEY, CONTROL, RUNNERS = "ca.crt", "ca.key", "control.key", "runners"
SUBJECT = "runners of "
_VALID = datetime.timedelta(days=3650)
_EARLY = datetime.timedelta(days=1)  # clocks differ
_PREFIX = "runner:"
_SIDES = ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT


class Contexts:
    """What TLS needs of one runner, as the side that is connected to and as the side that connects: TLS 1.3, both show
    a certificate of an authority of the folder. A file that was replaced counts from the next connection on.
    """

    def __init__(self, folder: Path, runner: str) -> None:
        files = folder / CA, place_of(folder, runner)
        self._made = MadeOfFiles(files, lambda: tuple(_context(side, *files) for side in _SIDES))

    @property
    def server(self) -> ssl.SSLContext:
        """Of the side that is connected to."""
        return self._made.get()[0]

    @property
    def client(self) -> ssl.SSLContext:
        """Of the side that connects."""
        return self._made.get()[1]


def _context(side: int, authorities: Path, own: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(side)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # a certificate has a runner's name: `peer_name`
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authorities)
    context.load_cert_chain(own)
    if side == ssl.PROTOCOL_TLS_SERVER:
        context.num_tickets = 0  # else the client's first read is a ticket
    return context


def contexts(folder: Path, runner: str) -> Contexts:
    """Of a runner. Raises OSError if a file is not there."""
    return Contexts(folder, runner)


def make_authority(folder: Path, deployment: str) -> None:
    """With a control key. Raises FileExistsError if there is one."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / RUNNERS).mkdir(mode=0o700, exist_ok=True)
    key, certificate = new_authority(deployment)
    write(folder / CA_KEY, key)
    write(folder / CA, certificate)
    write(folder / CONTROL, key_lines([new_key()]))


def make_certificate(folder: Path, runner: str) -> None:
    """For the runner of that name, by the folder's authority. Raises FileExistsError if it has one."""
    write(place_of(folder, runner), new_certificate(folder, CA_KEY, runner))


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


def place_of(folder: Path, runner: str) -> Path:
    """Of a runner's key, which is there with its certificate."""
    return folder / RUNNERS / f"{runner}.pem"


def authorities(folder: Path) -> list[x509.Certificate]:
    """Those that are believed. Raises OSError, ValueError."""
    return x509.load_pem_x509_certificates((folder / CA).read_bytes())


def authority_of(folder: Path, key_name: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """The authority whose key is in that file, with the key. Raises OSError, ValueError."""
    key = serialization.load_pem_private_key((folder / key_name).read_bytes(), None)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        for certificate in authorities(folder):
            if certificate.public_key() == key.public_key():
                return certificate, key
    raise ValueError(f"{key_name} is not the key of an authority in {CA}")


def new_authority(deployment: str) -> tuple[bytes, bytes]:
    """A key, and its certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, SUBJECT + deployment)])
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())  # two authorities have the same name
    builder = (
        _builder(name, name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(own, critical=False)
    )
    return _private(key), pem(builder.sign(key, hashes.SHA256()))


def new_certificate(folder: Path, key_name: str, runner: str) -> bytes:
    """A new key for a runner, and behind it the certificate, by the authority with the key of that name."""
    authority, authority_key = authority_of(folder, key_name)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, runner)])
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    builder = (
        _builder(name, authority.subject, key)
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(_PREFIX + runner)]), critical=False)
        .add_extension(usage, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
    )
    return _private(key) + pem(builder.sign(authority_key, hashes.SHA256()))


def pem(certificate: x509.Certificate) -> bytes:
    """As it stands in files."""
    return certificate.public_bytes(serialization.Encoding.PEM)


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


def write(path: Path, data: bytes) -> None:
    """Into a new file that only its owner can read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(data)
