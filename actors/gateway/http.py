"""One HTTP/1.1 connection: bytes in, requests out, answers to bytes. h11 knows HTTP, this has limits. No sockets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import h11

MAX_HEAD_BYTES = 16 << 10
MAX_HEADERS = 100
MAX_BODY_BYTES = 4 << 20  # what is read at once is decoded at once: some 20 ms


class HttpError(Exception):
    """The request is refused: a status and a sentence."""

    def __init__(self, status: HTTPStatus, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status, self.headers = status, dict(headers or {})


class Head(NamedTuple):
    """What comes before a body. `headers`: by name in lower case; those that come twice are joined by commas."""

    method: str
    path: str
    headers: dict[str, str]
    is_1_1: bool


class HttpRequest(NamedTuple):
    """A request that has come whole; its body is not decoded."""

    head: Head
    body: bytes


class HttpStream:
    """A connection that speaks HTTP. `admit` sees each head before its body is read, and may raise HttpError."""

    def __init__(self, admit: Callable[[Head], None]) -> None:
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._admit = admit
        self._head: Head | None = None
        self._body = bytearray()

    @property
    def is_over(self) -> bool:
        """Whether no request can come any more, once what was said has gone."""
        return self._http.our_state in (h11.MUST_CLOSE, h11.CLOSED, h11.ERROR)

    @property
    def has_begun(self) -> bool:
        """Whether a part of a request is there."""
        return self.in_body or bool(self._http.trailing_data[0])

    @property
    def in_body(self) -> bool:
        """Whether the head of a request is there, and not all of its body."""
        return self._http.their_state is h11.SEND_BODY

    def feed(self, data: bytes) -> None:
        """Bytes that have come; none: the client sends no more."""
        try:
            self._http.receive_data(data)
        except h11.RemoteProtocolError as error:
            raise HttpError(HTTPStatus(error.error_status_hint), str(error)) from None

    def next(self) -> tuple[HttpRequest | None, bytes]:
        """The next whole request, if there is one, and what is to be said meanwhile. Raises HttpError."""
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            self._head = None
        if self._http.our_state is not h11.IDLE and self._http.their_state is not h11.SEND_BODY:
            return None, b""  # the answer to the one before is not complete
        said = b""
        try:
            while (event := self._http.next_event()) is not h11.NEED_DATA and event is not h11.PAUSED:
                match event:
                    case h11.Request():
                        self._body.clear()
                        self._head = _head(event)
                        self._admit(self._head)
                        if self._http.they_are_waiting_for_100_continue:
                            said += _bytes(self._http.send(h11.InformationalResponse(status_code=100, headers=[])))
                    case h11.Data():
                        self._body += event.data
                        if len(self._body) > MAX_BODY_BYTES:
                            text = f"a body has at most {MAX_BODY_BYTES} bytes"
                            raise HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, text)
                    case h11.EndOfMessage():
                        assert self._head is not None
                        return HttpRequest(self._head, bytes(self._body)), said
                    case _:
                        return None, said
        except h11.RemoteProtocolError as error:
            raise HttpError(HTTPStatus(error.error_status_hint), str(error)) from None
        return None, said

    def answer(self, status: int, headers: Mapping[str, str], body: bytes, last: bool = False) -> bytes:
        """A whole answer; `last`: the connection ends with it."""
        length = {} if status == HTTPStatus.NO_CONTENT else {"content-length": str(len(body))}
        head = self._answer_head(status, {**headers, **length}, last)
        if self._head is not None and self._head.method == "HEAD":
            body = b""
        return head + self.more(body) + self.end()

    def begin(self, status: int, headers: Mapping[str, str]) -> bytes:
        """The head of an answer without end."""
        return self._answer_head(status, headers, last=False)

    def _answer_head(self, status: int, headers: Mapping[str, str], last: bool) -> bytes:
        told = list(headers.items()) + ([("connection", "close")] if last else [])
        phrase = HTTPStatus(status).phrase
        return _bytes(self._http.send(h11.Response(status_code=status, headers=told, reason=phrase)))

    def more(self, data: bytes) -> bytes:
        """A part of the body of an answer."""
        return _bytes(self._http.send(h11.Data(data=data))) if data else b""

    def end(self) -> bytes:
        """The end of an answer."""
        return _bytes(self._http.send(h11.EndOfMessage()))

    @property
    def may_answer(self) -> bool:
        """Whether the client still waits for an answer."""
        return self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE)

    @property
    def rest(self) -> bytes:
        """What has come after the request that asked for another protocol."""
        return _bytes(self._http.trailing_data[0])


def _head(event: h11.Request) -> Head:
    if len(event.headers) > MAX_HEADERS:
        raise HttpError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"a request has at most {MAX_HEADERS} headers")
    if event.http_version not in (b"1.0", b"1.1"):
        raise HttpError(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "HTTP/1.1 is understood here")
    headers: dict[str, str] = {}
    for name, value in event.headers:
        key, text = name.decode("ascii"), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    if "transfer-encoding" in headers and "content-length" in headers:  # a proxy may believe the other one
        raise HttpError(HTTPStatus.BAD_REQUEST, "a request has a length or a transfer encoding, not both")
    try:
        path = unquote(urlsplit(event.target.decode("ascii")).path, errors="strict")
    except ValueError:
        raise HttpError(HTTPStatus.BAD_REQUEST, "the address cannot be read") from None
    return Head(event.method.decode("ascii"), path, headers, event.http_version == b"1.1")


def _bytes(data: bytes | bytearray | None) -> bytes:
    return bytes(data or b"")
