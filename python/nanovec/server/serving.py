"""The application, and the process that serves it."""

from __future__ import annotations

import asyncio
import functools
import logging
import sys
import time
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import orjson
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .._version import __version__
from ..errors import BusyError, NanovecError
from . import chroma, routes
from .backend import Backend
from .express import Express
from .faults import Fault, Refused, fault_of, unexpected
from .gate import App, Bounded, Guarded, Observed, Receive, Scope, Send
from .metrics import Metrics
from .options import ServerOptions
from .requests import answer

_log = logging.getLogger("nanovec.server")
_MOST_HEADER_BYTES = 64 << 10
_NAMES = {404: "NotFoundError", 405: "InvalidArgumentError"}


def _answered(fault: Fault) -> Response:
    response = answer(fault.content(), fault.status)
    response.headers.update(fault.headers)
    return response


async def _on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, NanovecError)
    request.app.state.backend.noticed(error)
    fault = fault_of(error)
    # that there is too much to do is in the line of the request, and in the figures
    if fault.status >= 500 and not isinstance(error, BusyError):
        _log.warning("%s", error, extra={"request_id": request.scope.get("request_id")})
    return _answered(fault)


async def _on_any(request: Request, error: Exception) -> Response:
    if isinstance(error, NanovecError):
        return await _on_error(request, error)
    if isinstance(error, Refused):
        return await _on_refused(request, error)
    raise error


async def _on_unexpected(request: Request, error: Exception) -> Response:
    # Observed writes it into the log
    return _answered(unexpected())


async def _on_refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return _answered(error.fault)


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    parts = []
    for one in error.errors()[:5]:
        where = ".".join(str(part) for part in one["loc"])
        parts.append(f"{where}: {one['msg']}")
    return _answered(Fault(400, "InvalidArgumentError", "; ".join(parts)))


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    name = _NAMES.get(error.status_code, "InvalidArgumentError")
    message = f"{request.method} {request.url.path}: {error.detail}"
    return _answered(Fault(error.status_code, name, message, dict(error.headers or {})))


def _add_metrics(app: FastAPI, metrics: Metrics) -> None:
    @app.get("/metrics", tags=["server"], response_class=Response)
    async def show_metrics(request: Request) -> Response:
        """Figures for Prometheus."""
        backend: Backend = request.app.state.backend
        try:
            sizes = await backend.client.collection_sizes()
        except NanovecError as error:
            backend.noticed(error)
            sizes = None
        text = metrics.text(backend.client.pool_stats(), sizes)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def _describe_errors(app: FastAPI) -> None:
    """FastAPI says that wrong requests are answered with 422; here it is 400."""
    make = app.openapi

    def openapi() -> dict[str, Any]:
        described = make()
        for path in described["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)
        for name in ("HTTPValidationError", "ValidationError"):
            described["components"]["schemas"].pop(name, None)
        return described

    app.openapi = openapi  # pyright: ignore[reportAttributeAccessIssue]


def create_app(
    path: str | None = None,
    dsn: str | None = None,
    options: ServerOptions | None = None,
    on_failure: Callable[[NanovecError], None] | None = None,
) -> App:
    """The application, for an embedded server in a directory or for any other.

    on_failure is told why the database could not be started or reached.
    """
    options = options or ServerOptions()
    metrics = Metrics()
    backend = Backend(path, dsn, options, metrics)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            await backend.start()
        except NanovecError as error:
            if on_failure is not None:
                on_failure(error)
            raise
        _log.info("serving", extra={"version": __version__, "url": options.url})
        yield
        await backend.stop()
        _log.info("stopped")

    handlers: dict[int | type[Exception], Any] = {
        Exception: _on_unexpected,
        NanovecError: _on_error,
        Refused: _on_refused,
        RequestValidationError: _on_invalid,
        HTTPException: _on_http,
    }
    app = FastAPI(
        title="nanovec",
        description="Collections of vectors, with documents and metadata, on PostgreSQL",
        version=__version__,
        lifespan=lifespan,
        exception_handlers=handlers,
        redoc_url=None,
    )
    app.state.backend = backend
    app.state.options = options
    app.include_router(routes.router)
    app.include_router(chroma.router)
    _add_metrics(app, metrics)
    _describe_errors(app)
    gated: App = Guarded(Bounded(Express(app, backend, options, _on_any), options), options)
    if options.cors_origins:
        gated = CORSMiddleware(
            gated,  # pyright: ignore[reportArgumentType]
            allow_origins=options.cors_origins,
            allow_methods=["*"],
            allow_headers=["*"],
        )  # pyright: ignore[reportAssignmentType]
    return Observed(gated, metrics)


class _JsonLines(logging.Formatter):
    """A line of the log is a JSON object."""

    _EXTRA = ("request_id", "method", "path", "status", "milliseconds", "client", "version", "url")

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": f"{self._second(int(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        line |= {key: record.__dict__[key] for key in self._EXTRA if key in record.__dict__}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line).decode()

    @staticmethod
    @functools.lru_cache(maxsize=1)
    def _second(time_: int) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time_))


class _Protocol(HttpToolsProtocol):
    """HTTP whose headers must come in time, and be of some size at most."""

    #: set for a server by serve()
    header_timeout = 15.0
    _timer: asyncio.TimerHandle | None = None
    _in_headers = True
    _header_bytes = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_headers()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_headers:
            self._header_bytes += len(data)
        super().data_received(data)
        if self._in_headers and self._header_bytes > _MOST_HEADER_BYTES:
            self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._expect_headers()

    def on_headers_complete(self) -> None:
        self._end_headers()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_headers = True

    def _expect_headers(self) -> None:
        self._end_headers()
        self._in_headers = True
        self._timer = self.loop.call_later(self.header_timeout, self.transport.close)

    def _end_headers(self) -> None:
        self._in_headers = False
        self._header_bytes = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _without_traceback(app: App, failures: list[NanovecError]) -> App:
    """The application, whose start fails in silence where serve() says why."""

    async def quiet(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return

        async def send_briefly(message: MutableMapping[str, Any]) -> None:
            if failures and message["type"] == "lifespan.startup.failed":
                message = {"type": message["type"]}
            await send(message)

        await app(scope, receive, send_briefly)

    return quiet


def serve(path: str | None, dsn: str | None, options: ServerOptions) -> None:
    """Serve until a signal says to stop; requests that are under way are finished.

    Raises NanovecError when the database cannot be started or reached.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for noisy in ("psycopg.pool", "uvicorn.error"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    failures: list[NanovecError] = []
    protocol = type("Protocol", (_Protocol,), {"header_timeout": options.header_timeout})
    app = create_app(path, dsn, options, failures.append)
    try:
        uvicorn.run(
            _without_traceback(app, failures),  # pyright: ignore[reportArgumentType]
            host=options.host,
            port=options.port,
            http=protocol,
            ws="none",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=options.clients,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=round(options.stop_timeout),
        )
    except SystemExit:
        if failures:
            raise failures[0] from None
        raise
