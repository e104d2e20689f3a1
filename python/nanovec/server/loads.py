"""First loads: many rows into a collection that has few get their index afterwards.

A row takes several times as long to insert into an index as it adds to building one.  So
the index is dropped when such a load begins, and built when no more rows come, or when
searches without it would take too long; searches are exact meanwhile.  The database knows
that a load is under way, so that one that a crash left open is ended at the next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

from .._operations import Space
from ..client import AsyncCollection
from ..errors import NanovecError, NotFoundError, ServerError

_log = logging.getLogger("nanovec.server")

# rows of a request that are the sign of a load
_LEAST_ROWS = 500
# it is over when nothing came for so many seconds, or at so many numbers in its vectors
_IDLE = 2.0
_MOST_NUMBERS = 40_000_000
# seconds until a build that failed is tried again, at first and later
_AGAIN = 1.0
_AGAIN_AT_MOST = 60.0

Find = Callable[[Space, UUID], Awaitable[AsyncCollection]]


@dataclass
class _Load:
    space: Space
    id: UUID
    writers: int = 0
    numbers: int = 0
    last: float = field(default_factory=time.monotonic)
    ending: bool = False
    task: asyncio.Task[None] | None = None

    def take(self, collection: AsyncCollection, rows: int) -> None:
        """A write is over."""
        self.writers -= 1
        self.numbers += rows * (collection.info.dimension or 1)
        self.last = time.monotonic()

    @property
    def is_over(self) -> bool:
        """Is it time to build the index?"""
        if self.ending or self.numbers >= _MOST_NUMBERS:
            return True
        return self.writers == 0 and time.monotonic() - self.last >= _IDLE


class Loads:
    """The loads that are under way."""

    def __init__(self, find: Find) -> None:
        """With a function that finds a collection on a connection for what takes long."""
        self._find = find
        self._loads: dict[UUID, _Load] = {}

    def resume(self, left_open: list[tuple[Space, UUID]]) -> None:
        """End loads that a crash left open."""
        for space, id_ in left_open:
            self._start(_Load(space, id_, ending=True))

    async def stop(self, seconds: float) -> None:
        """End all loads now; what takes longer is left to the next start."""
        tasks = [load.task for load in self._loads.values() if load.task is not None]
        for load in self._loads.values():
            load.ending = True
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=seconds)
            for task in late:
                task.cancel()

    @contextlib.asynccontextmanager
    async def writing(self, collection: AsyncCollection, rows: int) -> AsyncIterator[None]:
        """Around a write of so many rows."""
        load = await self._load_for(collection, rows) if rows >= _LEAST_ROWS else None
        if load is None:
            yield
            return
        load.writers += 1
        try:
            yield
        finally:
            load.take(collection, rows)

    async def _load_for(self, collection: AsyncCollection, rows: int) -> _Load | None:
        id_ = collection.info.id
        if id_ not in self._loads:
            try:
                begun = await collection.begin_load(rows)
            except NanovecError:
                # nothing that the write depends on: it has its own errors
                return None
            if not begun:
                return None
            if id_ not in self._loads:
                info = collection.info
                self._start(_Load(Space(info.tenant, info.database), id_))
        load = self._loads[id_]
        return None if load.ending else load

    def _start(self, load: _Load) -> None:
        self._loads[load.id] = load
        load.task = asyncio.get_running_loop().create_task(self._end(load))

    async def _end(self, load: _Load) -> None:
        """Wait until a load is over, then build the index."""
        try:
            while not load.is_over:
                await asyncio.sleep(_IDLE / 10)
            load.ending = True
            wait = _AGAIN
            while not await self._build(load):
                await asyncio.sleep(wait)
                wait = min(2 * wait, _AGAIN_AT_MOST)
        finally:
            del self._loads[load.id]

    async def _build(self, load: _Load) -> bool:
        """Build the index; False if that must be tried again."""
        try:
            await (await self._find(load.space, load.id)).end_load()
        except NotFoundError:
            pass
        except ServerError as error:
            _log.warning("an index is not built yet: %s", error)
            return False
        except NanovecError as error:
            _log.error("an index cannot be built: %s", error)
        return True
