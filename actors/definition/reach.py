"""What of a module reaches beyond its messages, as far as its text says so: who tries it has to know. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.definition.model import Module

_PYTHON = (
    r"socket|ssl|urllib|http|requests|aiohttp|httpx|smtplib|ftplib|imaplib|poplib|telnetlib|xmlrpc|websockets?|paho|"
    r"redis|psycopg2?|pymysql|pymongo|grpc|boto3|paramiko|asyncssh|nats|kafka|pika"
)
_NODE = (
    r"net|https?|http2|dgram|tls|ws|axios|undici|got|node-fetch|mqtt|redis|ioredis|pg|mysql2?|mongodb|kafkajs|nats|"
    r"amqplib|nodemailer"
)
_IN_TEXT = {
    "python3": rf"^\s*(?:import|from)\s+(?:{_PYTHON})\b",
    "node": rf"(?:from|require\(|import\()\s*['\"](?:node:)?(?:{_NODE})['\"/]|\bfetch\s*\(|\bnew\s+WebSocket\b",
    "go": r"\"net(?:/[\w/]+)?\"",
    "rust": r"\b(?:std::net|tokio::net|reqwest|hyper|ureq)\b",
    "sbcl": r"\b(?:sb-bsd-sockets|usocket|drakma|dexador)\b",
    "ruby": r"require\s*\(?\s*['\"](?:socket|net/\w+|open-uri|faraday|httparty)['\"]",
    "php": r"\b(?:curl_init|fsockopen|stream_socket_client|mysqli|PDO)\b|file_get_contents\(\s*['\"](?:https?|ftp):",
}
_IN_TEXT["browser"] = _IN_TEXT["node"]
_DEPENDENCY = re.compile(rf"^(?:{_PYTHON}|{_NODE}|reqwest|hyper|ureq|faraday|httparty)\b", re.IGNORECASE)


def reach_of(module: Module) -> str | None:
    """What it uses besides messages and context, in words."""
    if module.limits.get("writable"):
        return f"may write to {', '.join(module.limits['writable'])} (limits.writable)"
    pattern = _IN_TEXT.get(module.runtime)
    texts = (module.code, *module.files.values())
    if any(map(_DEPENDENCY.match, module.dependencies)) or (
        pattern is not None and any(re.search(pattern, text, re.MULTILINE | re.IGNORECASE) for text in texts)
    ):
        return "uses the network"
    return None
