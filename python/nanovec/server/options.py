"""What can be set about the HTTP server."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from ..errors import InvalidArgumentError

_LEAST_TOKEN = 16


@dataclass(frozen=True)
class ServerOptions:
    """Where the server listens, who may use it, and how much a request may take."""

    host: str = "127.0.0.1"
    port: int = 8000
    #: what requests must bring; without one the server listens to its own machine only
    token: str | None = None
    #: pages of these origins may use the server from a browser
    cors_origins: tuple[str, ...] = ()
    #: whether Chroma's reset() drops everything
    allow_reset: bool = False

    #: connections to PostgreSQL, requests that may wait for one, and for how many seconds
    connections: int = 10
    waiting: int = 500
    wait_seconds: float = 5.0
    #: connections of HTTP clients
    clients: int = 1000

    #: seconds for a request, for building an index, for a body and for headers to arrive
    timeout: float = 60.0
    build_timeout: float = 6 * 3600.0
    body_timeout: float = 60.0
    header_timeout: float = 15.0
    stop_timeout: float = 30.0

    #: bytes of a body, and of all bodies at a time
    max_body: int = 64 << 20
    max_bodies: int = 256 << 20
    #: rows of a write
    max_batch: int = 2000
    #: rows of an answer, and numbers in its embeddings
    max_rows: int = 100_000
    max_numbers: int = 16_000_000

    def __post_init__(self) -> None:
        if self.token is not None and len(self.token) < _LEAST_TOKEN:
            raise InvalidArgumentError(f"a token must have at least {_LEAST_TOKEN} characters")
        if self.token is not None and not (self.token.isascii() and self.token.isprintable()):
            raise InvalidArgumentError("a token must be printable ASCII characters")
        if self.token is None and not self.is_loopback:
            raise InvalidArgumentError(
                f"without a token the server listens on the loopback address only, not on "
                f"{self.host}: set NANOVEC_TOKEN"
            )
        if not 0 <= self.port <= 65535:
            raise InvalidArgumentError(f"there is no port {self.port}")
        for name in ("connections", "clients", "max_body", "max_bodies", "max_batch", "max_rows"):
            if getattr(self, name) < 1:
                raise InvalidArgumentError(f"{name} must be at least 1")

    @property
    def url(self) -> str:
        """Where clients find the server, as far as this machine knows."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Can only this machine reach the address?"""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False
