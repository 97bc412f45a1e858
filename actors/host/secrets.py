"""Secrets by reference, `${env:NAME}` or `${file:PATH}`: looked up when they are needed, and never shown."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable

from actors.definition.model import Module
from actors.definition.places import dotted
from actors.definition.references import FIELDS, REFERENCE, texts

MAX_BYTES = 1 << 16


class SecretError(Exception):
    """It cannot be had: a sentence without what it is."""


def secret(reference: str) -> str:
    """What a reference stands for, without white space around it. Raises SecretError."""
    kind, _, name = reference.removeprefix("${").removesuffix("}").partition(":")
    if kind == "env":
        found = os.environ.get(name)
        if found is None:
            raise SecretError(f"{reference}: there is no such variable")
    else:
        try:
            found = _read(name).decode()
        except OSError as error:
            raise SecretError(f"{reference}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise SecretError(f"{reference}: this is no text") from None
    found = found.strip()
    if not found:
        raise SecretError(f"{reference}: it is empty")
    return found


def _read(path: str) -> bytes:
    """A file, of which it is sure that nobody waits for it."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        data = os.read(fd, MAX_BYTES + 1)
    finally:
        os.close(fd)
    if len(data) > MAX_BYTES:
        raise OSError(errno.EFBIG, f"it has more than {MAX_BYTES:,} bytes")
    return data


def secrets_of(flow: str, modules: Iterable[Module]) -> tuple[dict[str, str], list[str]]:
    """Reference -> text, of all in `config` and `env` of these modules; sentences about those that cannot be had."""
    found: dict[str, str] = {}
    errors = []
    for module in modules:
        for field in FIELDS:
            for path, text in texts(getattr(module, field), (field,)):
                for reference in REFERENCE.finditer(text):
                    found[reference[0]] = ""
                    try:
                        found[reference[0]] = secret(reference[0])
                    except SecretError as error:
                        errors.append(f"{flow}/{module.id}: {dotted(path)}: {error}")
    return found, errors
