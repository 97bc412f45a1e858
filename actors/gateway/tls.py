"""TLS for the gateway: a socket that is used as a plain one is, and the context that makes it."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from actors.gateway import log
from actors.made_of_files import MadeOfFiles


class TlsSocket:
    """A non-blocking connection; the handshake happens with the first bytes. What would wait is a BlockingIOError."""

    def __init__(self, context: ssl.SSLContext, sock: socket.socket) -> None:
        self._tls = context.wrap_socket(
            sock, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=True
        )  # fmt: skip
        self.wants_to_write = False  # before it can read on: a part of the handshake

    def recv(self, size: int) -> bytes:
        """Decrypted bytes; none at the end."""
        self.wants_to_write = False
        try:
            return self._tls.recv(size)
        except ssl.SSLWantReadError:
            raise BlockingIOError from None
        except ssl.SSLWantWriteError:
            self.wants_to_write = True
            raise BlockingIOError from None

    def send(self, data: bytes | memoryview) -> int:
        """How many of the bytes have gone; after a BlockingIOError the same ones are to be given again."""
        try:
            return self._tls.send(data)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError from None

    @property
    def has_more(self) -> bool:
        """Whether there are decrypted bytes, of which the epoll does not know."""
        return bool(self._tls.pending())

    def fileno(self) -> int:
        """The descriptor, -1 once it is closed."""
        return self._tls.fileno()

    def shutdown(self, how: int) -> None:
        """Nothing more is sent."""
        self._tls.shutdown(how)

    def close(self) -> None:
        """At once, whatever waits."""
        self._tls.close()


def certificates(certificate: str, key: str) -> MadeOfFiles[ssl.SSLContext]:
    """The context for the next connection: a certificate is renewed while everything goes on. As `server_context`."""
    return MadeOfFiles((Path(certificate), Path(key)), lambda: server_context(certificate, key), _not_renewed)


def _not_renewed(error: OSError) -> None:
    log.warning("%s: %s; the certificate from before is used on", error.filename, error.strerror)


def server_context(certificate: str, key: str) -> ssl.SSLContext:
    """Of files in PEM; raises OSError with the name of the one that cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.num_tickets = 0  # nobody comes back often enough
    try:
        context.load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        raise OSError(error.errno, f"cannot be used with {key}: {error.reason or error}", certificate) from None
    return context
