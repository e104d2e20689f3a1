"""What every request goes through before it gets to a route, as ASGI applications.

Observed: an id, a line in the log, figures.  Guarded: who may ask.  Bounded: how much,
and in what time.
"""

from __future__ import annotations

import hmac
import logging
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import anyio
import orjson

from .faults import Fault, Refused, unexpected
from .metrics import Metrics
from .options import ServerOptions

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_log = logging.getLogger("nanovec.server")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}\Z")
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
# how anything that watches over a server asks whether it is there
_OPEN = {"/health", "/api/v2/heartbeat", "/api/v2/healthcheck"}
# of a body that is too large, read so many times what is allowed, so that the client
# gets to the answer
_DRAINED = 4


async def answer(send: Send, fault: Fault, close: bool = False) -> None:
    """Answer a request with a fault."""
    body = orjson.dumps(fault.content())
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    headers += [(k.lower().encode(), v.encode()) for k, v in fault.headers.items()]
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": fault.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def header(scope: Scope, name: bytes) -> bytes | None:
    """The value of a header, whose name is in small letters; None where it is missing."""
    return next((value for key, value in scope["headers"] if key == name), None)


class Observed:
    """Gives requests an id, writes them into the log and counts them."""

    def __init__(self, app: App, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = header(scope, b"x-request-id")
        request_id = given if given and _REQUEST_ID.match(given) else uuid4().hex.encode()
        scope["request_id"] = request_id.decode()
        began = time.perf_counter()
        status = 0

        async def observed_send(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id)]
            await send(message)

        self._metrics.in_progress.inc()
        try:
            await self._app(scope, receive, observed_send)
        except Exception:
            _log.exception("unexpected", extra={"request_id": scope["request_id"]})
            if status == 0:
                await answer(observed_send, unexpected())
        finally:
            self._metrics.in_progress.dec()
            self._report(scope, status, time.perf_counter() - began)

    def _report(self, scope: Scope, status: int, seconds: float) -> None:
        # the route and not the path, whose number has no limit
        route = getattr(scope.get("route"), "path", "none")
        method = scope["method"] if route != "none" else "any"
        self._metrics.count(method, route, status, seconds)
        _log.info(
            "request",
            extra={
                "request_id": scope["request_id"],
                "method": scope["method"],
                "path": scope["path"],
                "status": status,
                "milliseconds": round(seconds * 1000, 2),
                "client": (scope.get("client") or ("",))[0],
            },
        )


class Guarded:
    """Refuses requests without the token, and those that a foreign page made in a browser."""

    def __init__(self, app: App, options: ServerOptions) -> None:
        self._app = app
        self._token = options.token.encode() if options.token else None
        self._origins = set(options.cors_origins)
        self._hosts = _LOOPBACK | {options.host}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a request."""
        if scope["type"] == "http":
            fault = self._fault(scope)
            if fault is not None:
                await answer(send, fault)
                return
        await self._app(scope, receive, send)

    def _fault(self, scope: Scope) -> Fault | None:
        origin = header(scope, b"origin")
        host = (header(scope, b"host") or b"").decode("latin-1")
        if origin is not None and not self._is_known(origin.decode("latin-1"), host):
            return Fault(403, "AuthError", "pages of this origin may not use the server")
        if self._token is None:
            # whatever name leads here: a page can make its own name do so
            if _host_name(host) not in self._hosts:
                return Fault(403, "AuthError", "without a token, only this machine is served")
        elif scope["path"] not in _OPEN and not self._is_allowed(scope, self._token):
            headers = {"WWW-Authenticate": "Bearer"}
            return Fault(401, "AuthorizationError", "a token is missing or wrong", headers)
        return None

    def _is_known(self, origin: str, host: str) -> bool:
        return "*" in self._origins or origin in self._origins or urlsplit(origin).netloc == host

    @staticmethod
    def _is_allowed(scope: Scope, token: bytes) -> bool:
        for name in (b"authorization", b"x-chroma-token"):
            given = header(scope, name) or b""
            if given[:7].lower() == b"bearer ":
                given = given[7:]
            if hmac.compare_digest(given, token):
                return True
        return False


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


class Bounded:
    """Reads the whole body before a route sees it, so that a slow client holds nothing else.

    Applications behind it find it in the scope, too.
    """

    def __init__(self, app: App, options: ServerOptions) -> None:
        self._app = app
        self._options = options
        self._bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        held = _Held(self)
        try:
            try:
                with anyio.fail_after(self._options.body_timeout):
                    body = await self._read(scope, receive, held)
            except TimeoutError:
                message = f"the body did not come within {self._options.body_timeout:g} seconds"
                await answer(send, Fault(408, "InvalidArgumentError", message), close=True)
                return
            except Refused as error:
                await answer(send, error.fault, close=True)
                return
            if body is None:
                return
            scope["body"] = body
            sent = False

            async def replay() -> MutableMapping[str, Any]:
                nonlocal sent
                if sent:
                    return await receive()
                sent = True
                return {"type": "http.request", "body": body, "more_body": False}

            await self._app(scope, replay, send)
        finally:
            held.release()

    async def _read(self, scope: Scope, receive: Receive, held: _Held) -> bytes | None:
        """The body; None if the client went away."""
        if header(scope, b"content-encoding") not in (None, b"identity"):
            raise Refused(415, "InvalidArgumentError", "the body must not be compressed")
        declared = header(scope, b"content-length") or b"0"
        if int(declared) > _DRAINED * self._options.max_body:
            raise self._too_large()
        pieces: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            piece = message.get("body", b"")
            size += len(piece)
            if size > _DRAINED * self._options.max_body:
                raise self._too_large()
            if size <= self._options.max_body:
                held.take(len(piece))
                pieces.append(piece)
            if not message.get("more_body"):
                break
        if size > self._options.max_body:
            raise self._too_large()
        return b"".join(pieces)

    def _too_large(self) -> Refused:
        most = f"{self._options.max_body:,} bytes"
        return Refused(413, "BatchSizeExceededError", f"a body may have {most} at most")

    def take(self, size: int) -> None:
        """Count bytes of a body; raises Refused where there are too many of all requests."""
        if self._bytes + size > self._options.max_bodies:
            message = "too many large requests at a time: try again"
            raise Refused(503, "InternalError", message)
        self._bytes += size

    def release(self, size: int) -> None:
        """The bytes are needed no longer."""
        self._bytes -= size


class _Held:
    """The bytes of one request."""

    def __init__(self, bounded: Bounded) -> None:
        self._bounded = bounded
        self._size = 0

    def take(self, size: int) -> None:
        self._bounded.take(size)
        self._size += size

    def release(self) -> None:
        self._bounded.release(self._size)
