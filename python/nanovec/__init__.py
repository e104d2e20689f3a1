"""nanovec: collections of vectors with documents and metadata, on PostgreSQL.

`open(path)` runs a PostgreSQL of its own in a directory, `connect(dsn)` uses
one that has nanovec.  Both return a `Client`; `open_async` and `connect_async`
return an `AsyncClient`.
"""

from ._version import __version__
from .client import AsyncClient, AsyncCollection, Client, Collection
from .client import connect as connect
from .client import connect_async as connect_async
from .client import open_ as open
from .client import open_async as open_async
from .errors import (
    AlreadyExistsError,
    BusyError,
    InvalidArgumentError,
    InvalidFileError,
    NanovecError,
    NotFoundError,
    PermissionDeniedError,
    ServerError,
    VersionError,
)
from .models import CollectionInfo, GetResult, HybridResult, QueryResult, Recall

__all__ = [
    "AlreadyExistsError",
    "AsyncClient",
    "AsyncCollection",
    "BusyError",
    "Client",
    "Collection",
    "CollectionInfo",
    "GetResult",
    "HybridResult",
    "InvalidArgumentError",
    "InvalidFileError",
    "NanovecError",
    "NotFoundError",
    "PermissionDeniedError",
    "QueryResult",
    "Recall",
    "ServerError",
    "VersionError",
    "__version__",
    "connect",
    "connect_async",
    "open",
    "open_async",
]
