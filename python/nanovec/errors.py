"""What can go wrong, as exceptions."""

from __future__ import annotations

import psycopg


class NanovecError(Exception):
    """The base of all that this package raises on its own."""

    #: what the database said, for those who look closer
    sqlstate: str | None = None


class NotFoundError(NanovecError):
    """There is no such collection, tenant or database, or none that one may read."""


class AlreadyExistsError(NanovecError):
    """There is one of that name."""


class InvalidArgumentError(NanovecError, ValueError):
    """Something given is wrong: ids, dimensions, a filter, metadata, an option."""


class InvalidFileError(InvalidArgumentError):
    """A file is damaged, or not what its name says."""


class PermissionDeniedError(NanovecError):
    """The role may not do this."""


class ServerError(NanovecError):
    """The server could not be started or reached, or it gave up."""


class BusyError(ServerError):
    """No connection to the server was free in time: try again."""


class VersionError(NanovecError):
    """A directory or server belongs to another version of nanovec."""


_CLASSES: list[tuple[str, type[NanovecError]]] = [
    ("42P01", NotFoundError),
    ("42704", NotFoundError),
    ("42P07", AlreadyExistsError),
    ("42710", AlreadyExistsError),
    ("23505", AlreadyExistsError),
    ("42501", PermissionDeniedError),
    ("22", InvalidArgumentError),
    ("2201B", InvalidArgumentError),
    ("21000", InvalidArgumentError),
    ("23", InvalidArgumentError),
    ("42602", InvalidArgumentError),
    ("54", InvalidArgumentError),
    ("55000", InvalidArgumentError),
    ("2BP01", InvalidArgumentError),
    ("2202E", InvalidArgumentError),
]


def translate(error: psycopg.Error) -> NanovecError:
    """The exception of this package that says the same as one of psycopg's."""
    state = error.sqlstate
    message = error.diag.message_primary or str(error)
    if error.diag.message_detail:
        message += f" ({error.diag.message_detail})"
    if error.diag.message_hint:
        message += f". {error.diag.message_hint}"
    kind: type[NanovecError] = ServerError
    if state is None and isinstance(error, psycopg.DataError):
        # psycopg itself will not send it, as a text with NUL
        kind = InvalidArgumentError
    for prefix, candidate in _CLASSES:
        if state is not None and state.startswith(prefix):
            kind = candidate
            break
    result = kind(message)
    result.sqlstate = state
    return result
