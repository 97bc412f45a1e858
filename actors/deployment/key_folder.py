"""The folder of a deployment's keys, as people have it: made, shown, handed on, replaced while everything runs.

A machine needs all but `ca.key`, and of the certificates only its runners'. While a replacement is prepared there is
`next.key`, too: that of an authority that everybody believes already, and nobody uses.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes

from actors.links import keys
from actors.links.keys import CA, CA_KEY, CONTROL, RUNNERS
from actors.system.sealing import CURRENT, NEXT, PREVIOUS, KeyFileError, key_lines, new_key, read_keys

NEXT_KEY = "next.key"


class KeysError(Exception):
    """Keys are not there, or not what they should be. A whole sentence."""


def make_keys(folder: Path, deployment: str, runners: Iterable[str]) -> None:
    """All of them in a new folder. Raises KeysError if there is something in it."""
    if folder.exists() and any(folder.iterdir()):
        raise KeysError(f"there is something in {folder} already; `runner keys rotate {folder}` replaces keys")
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        keys.make_authority(made, deployment)
        for runner in runners:
            keys.make_certificate(made, runner)
        made.replace(folder)
    except BaseException:
        shutil.rmtree(made)
        raise


def runners_of(folder: Path) -> list[str]:
    """Those that have a certificate."""
    return sorted(path.stem for path in (folder / RUNNERS).glob("*.pem"))


def provide(folder: Path, runners: Iterable[str]) -> None:
    """See that these have certificates, and that nobody else can read the keys; raises KeysError."""
    runners = [runner for runner in runners if not keys.place_of(folder, runner).exists()]
    for name in (CA, CONTROL):
        if not (folder / name).is_file():
            raise KeysError(f"{folder} has no {name}; `runner keys new {folder}` makes a folder of keys")
    for path in (folder / CONTROL, folder / CA_KEY, *(folder / RUNNERS).glob("*.pem")):
        if path.exists() and path.stat().st_mode & 0o007:
            raise KeysError(f"{path} can be read by everybody: `chmod o= {path}`")
    with _broken(folder):
        read_keys(folder / CONTROL)
        keys.authorities(folder)
        for runner in runners:
            if not (folder / CA_KEY).exists():
                where = f"where {CA_KEY} is, `runner keys add` makes one"
                raise KeysError(f"{folder} has no certificate for the runner {runner}; {where}")
            keys.make_certificate(folder, runner)


def bundle(folder: Path, target: Path, runners: Iterable[str]) -> None:
    """What a machine needs that has these runners, in a new folder: all but the authority's key. Raises KeysError."""
    runners = list(runners)
    if missing := sorted(set(runners) - set(runners_of(folder))):
        raise KeysError(
            f"{folder} has no certificate for {', '.join(missing)}; `runner keys add {folder} NAME` makes one"
        )
    (target / RUNNERS).mkdir(mode=0o700, parents=True, exist_ok=True)
    target.chmod(0o700)
    for path in (folder / CA, folder / CONTROL, *(keys.place_of(folder, runner) for runner in runners)):
        _replace(target / path.relative_to(folder), path.read_bytes())


# replacing them ------------------------------------------------------------------------------------------------------


def prepare(folder: Path) -> None:
    """Believe in a new authority and a new control key, and use the old ones still. Nothing happens if that is so."""
    with _broken(folder):
        if (folder / NEXT_KEY).exists():  # it is written last
            return
        used = [key for key in read_keys(folder / CONTROL) if key.role != NEXT]
        found = keys.authorities(folder)
        if not (folder / CA_KEY).exists():
            raise KeysError(
                f"{folder} has no {CA_KEY}: keys are replaced where it is, others get a `runner keys bundle`"
            )
        deployment = found[0].subject.rfc4514_string().removeprefix("CN=" + keys.SUBJECT)
        key, certificate = keys.new_authority(deployment)
        _replace(folder / CA, (folder / CA).read_bytes() + certificate)
        _replace(folder / CONTROL, key_lines([*used, new_key(NEXT)]))
        _replace(folder / NEXT_KEY, key)


def rotate(folder: Path) -> None:
    """Use new keys, and believe in the last ones still; those before them are forgotten. A deployment that is up takes
    them as they come. It can be told again if it was ended in the middle.
    """
    prepare(folder)
    with _broken(folder):
        if (folder / NEXT_KEY).exists():
            for runner in runners_of(folder):
                _replace(keys.place_of(folder, runner), keys.new_certificate(folder, NEXT_KEY, runner))
        control = {key.role: key for key in read_keys(folder / CONTROL)}
        if NEXT in control:
            _replace(
                folder / CONTROL,
                key_lines([control[NEXT]._replace(role=CURRENT), control[CURRENT]._replace(role=PREVIOUS)]),
            )
        if (folder / NEXT_KEY).exists():
            new, old = (keys.authority_of(folder, name)[0] for name in (NEXT_KEY, CA_KEY))
            _replace(folder / CA, keys.pem(new) + keys.pem(old))
            (folder / NEXT_KEY).replace(folder / CA_KEY)


def finish(folder: Path) -> None:
    """Believe in the keys that are used, and no others. Raises KeysError."""
    with _broken(folder):
        if (folder / NEXT_KEY).exists():
            raise KeysError(f"new keys are prepared in {folder}, and not used yet: first `runner keys rotate {folder}`")
        _replace(folder / CONTROL, key_lines([key for key in read_keys(folder / CONTROL) if key.role == CURRENT]))
        _replace(folder / CA, keys.pem(keys.authority_of(folder, CA_KEY)[0]))


def shown(folder: Path) -> dict[str, Any]:
    """What is in a folder, without secrets; raises KeysError."""
    with _broken(folder):
        signs = [
            (role, keys.authority_of(folder, name)[0]) for role, name in ((CURRENT, CA_KEY), (NEXT, NEXT_KEY))
            if (folder / name).exists()
        ]  # fmt: skip
        authorities = [
            {
                "id": _id(authority), "until": _until(authority),
                "role": next((role for role, other in signs if other == authority), PREVIOUS if signs else "believed"),
            }
            for authority in keys.authorities(folder)
        ]  # fmt: skip
        control = [{"id": key.id.hex(), "role": key.role} for key in read_keys(folder / CONTROL)]
        runners = []
        for name in runners_of(folder):
            certificate = x509.load_pem_x509_certificate(keys.place_of(folder, name).read_bytes())
            by = next((_id(one) for one in keys.authorities(folder) if _is_by(certificate, one)), "nobody here")
            runners.append({"name": name, "until": _until(certificate), "authority": by})
    return {"authorities": authorities, "control": control, "runners": runners}


@contextlib.contextmanager
def _broken(folder: Path) -> Iterator[None]:
    """What cannot be read is an error for people."""
    try:
        yield
    except KeyFileError as error:
        raise KeysError(str(error)) from None
    except OSError as error:
        raise KeysError(f"{error.filename or folder}: {error.strerror}") from None
    except ValueError as error:
        raise KeysError(f"{folder}: a key or certificate cannot be read: {error}") from None


def _id(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex()[:16]


def _until(certificate: x509.Certificate) -> str:
    return certificate.not_valid_after_utc.date().isoformat()


def _is_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _replace(path: Path, data: bytes) -> None:
    """Nobody sees half of it."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    keys.write(new, data)
    new.replace(path)
