"""Where spans go: what a deployment and the variables of OpenTelemetry say. Pure.

https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

PATH = "/v1/traces"
DEFAULT = "http://localhost:4318"
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Of a collector; `service`: what flows are called there, None: each by its id."""

    host: str
    port: int
    path: str
    tls: bool
    headers: tuple[tuple[str, str], ...] = ()
    service: str | None = None

    @property
    def url(self) -> str:
        """As a person writes it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}{self.path}"


def endpoint(given: str | None, env: Mapping[str, str]) -> Endpoint:
    """`given`: by the deployment, which comes before the environment. Raises ValueError with a sentence."""
    whole = None if given else env.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    base = given or whole or env.get("OTEL_EXPORTER_OTLP_ENDPOINT") or DEFAULT
    try:
        parts = urlsplit(base)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{base!r} is no URL of a collector: {error}") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(f"{base!r} is no URL of a collector; write it as in {DEFAULT}")
    path = (parts.path or "/") if whole else parts.path.rstrip("/") + PATH
    return Endpoint(
        host=parts.hostname, port=port or _PORTS[parts.scheme], path=path, tls=parts.scheme == "https",
        headers=_headers(env.get("OTEL_EXPORTER_OTLP_TRACES_HEADERS") or env.get("OTEL_EXPORTER_OTLP_HEADERS") or ""),
        service=env.get("OTEL_SERVICE_NAME") or None,
    )  # fmt: skip


def _headers(text: str) -> tuple[tuple[str, str], ...]:
    """`name=value,name=value`, values percent-encoded."""
    pairs = (part.partition("=") for part in text.split(",") if "=" in part)
    return tuple((name.strip().lower(), unquote(value.strip())) for name, _, value in pairs)
