"""What requests use: connections, collections that were looked up, the embedded server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict
from uuid import UUID

from .._operations import Space
from ..client import AsyncClient, AsyncCollection, connect_async
from ..embedded import EmbeddedServer
from ..errors import NanovecError
from .faults import is_disconnect
from .loads import Loads
from .metrics import Metrics
from .options import ServerOptions

_log = logging.getLogger("nanovec.server")

# A search trusts what was known of its collection for so many seconds; whoever changes
# one through this server is seen at once, others are by then.
_FRESH = 1.0
_KNOWN = 1024
_MAINTENANCE_CONNECTIONS = 2
_LOOK_EVERY = 0.5


class Backend:
    """The database behind the server."""

    client: AsyncClient
    #: for what takes long, so that searches find connections meanwhile
    maintenance: AsyncClient

    def __init__(
        self, path: str | None, dsn: str | None, options: ServerOptions, metrics: Metrics
    ) -> None:
        self._path = path
        self._dsn = dsn
        self._options = options
        self._metrics = metrics
        self._server: EmbeddedServer | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._known: OrderedDict[tuple[Space, str | UUID], tuple[float, AsyncCollection]]
        self._known = OrderedDict()
        self._mending = False
        self.loads = Loads(self.slow)

    async def start(self) -> None:
        """Start or join the embedded server, and connect."""
        if self._dsn is None:
            self._server = await asyncio.to_thread(EmbeddedServer, self._path or "nanovec_data")
        dsn = self._dsn or self._server.dsn  # pyright: ignore[reportOptionalMemberAccess]
        try:
            self.client = await self._connect(
                dsn, self._options.connections, self._options.timeout, self._options.waiting
            )
            self.maintenance = await self._connect(
                dsn, _MAINTENANCE_CONNECTIONS, self._options.build_timeout, self._options.waiting
            )
        except BaseException:
            await self._close_server()
            raise
        if self._server is not None:
            self._begin(self._keep_running(self._server))
        self.loads.resume(await self.client.list_loading())

    async def _connect(self, dsn: str, size: int, timeout: float, waiting: int) -> AsyncClient:
        milliseconds = str(round(timeout * 1000))
        return await connect_async(
            dsn,
            max_size=size,
            timeout=self._options.wait_seconds,
            max_waiting=waiting,
            settings={
                "application_name": "nanovec serve",
                "statement_timeout": milliseconds,
                "idle_in_transaction_session_timeout": milliseconds,
            },
        )

    async def stop(self) -> None:
        """Give back connections; the embedded server stops if nobody else uses it."""
        await self.loads.stop(self._options.stop_timeout)
        for task in list(self._tasks):
            task.cancel()
        await self.client.close()
        await self.maintenance.close()
        await self._close_server()

    async def _close_server(self) -> None:
        if self._server is not None:
            await asyncio.to_thread(self._server.close)

    def _begin(self, work) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _keep_running(self, server: EmbeddedServer) -> None:
        """Start the embedded server again when it is gone."""
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            if server.runs:
                continue
            _log.warning("PostgreSQL is gone: starting it again")
            try:
                # right after a crash, its last processes may still be there
                if await asyncio.to_thread(server.revive):
                    self._metrics.count_restart()
            except NanovecError as error:
                _log.error("PostgreSQL does not start: %s", error)
                continue
            await self._mend()

    def noticed(self, error: NanovecError) -> None:
        """After an error: replace broken connections, if that is what it was."""
        if is_disconnect(error) and not self._mending:
            self._mending = True
            self._begin(self._mend())

    async def _mend(self) -> None:
        try:
            for client in (self.client, self.maintenance):
                with contextlib.suppress(NanovecError):
                    await client.check_connections()
        finally:
            self._mending = False

    # -- collections

    def at(self, space: Space) -> AsyncClient:
        """A client of a tenant and database."""
        return self.client.at(space.tenant, space.database)

    async def collection(self, space: Space, key: str | UUID) -> AsyncCollection:
        """The collection of a name or id, as it is now: for whoever changes something."""
        client = self.at(space)
        if isinstance(key, UUID):
            collection = await client.get_collection_by_id(key)
        else:
            collection = await client.get_collection(key)
        self._known[(space, key)] = time.monotonic(), collection
        self._known.move_to_end((space, key))
        if len(self._known) > _KNOWN:
            self._known.popitem(last=False)
        return collection

    async def known(self, space: Space, key: str | UUID) -> AsyncCollection:
        """The same as known since a moment ago: for whoever reads."""
        when, collection = self._known.get((space, key), (0.0, None))
        if collection is not None and time.monotonic() - when < _FRESH:
            return collection
        return await self.collection(space, key)

    async def slow(self, space: Space, key: str | UUID) -> AsyncCollection:
        """The same for what takes long."""
        name = (await self.collection(space, key)).name
        return await self.maintenance.at(space.tenant, space.database).get_collection(name)

    def forget(self) -> None:
        """A collection was changed: look all up again."""
        self._known.clear()
