"""Errors as answers: the one place that knows which status and name an error has.

The names are those of Chroma's API, whose clients make exceptions of them; our own
API uses the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import BaseModel

from ..errors import (
    AlreadyExistsError,
    BusyError,
    InvalidArgumentError,
    NanovecError,
    NotFoundError,
    PermissionDeniedError,
    ServerError,
)

RETRY_AFTER = {"Retry-After": "1"}


class ErrorAnswer(BaseModel):
    """What an answer that is no success contains."""

    error: str
    message: str


@dataclass(frozen=True)
class Fault:
    """An error as an answer."""

    status: int
    error: str
    message: str
    headers: dict[str, str] = field(default_factory=dict)

    def content(self) -> dict[str, str]:
        """The body of the answer."""
        return {"error": self.error, "message": self.message}


class Refused(Exception):
    """A request that is answered with a fault before it gets to the database."""

    def __init__(self, status: int, error: str, message: str) -> None:
        super().__init__(message)
        self.fault = Fault(status, error, message, RETRY_AFTER if status == 503 else {})


_KINDS: list[tuple[type[NanovecError], int, str]] = [
    (NotFoundError, 404, "NotFoundError"),
    (AlreadyExistsError, 409, "UniqueConstraintError"),
    (PermissionDeniedError, 403, "AuthError"),
    (InvalidArgumentError, 400, "InvalidArgumentError"),
    (BusyError, 503, "InternalError"),
]
# PostgreSQL has no room, is stopping or starting, or chose this as a deadlock's victim
_TEMPORARY = ("08", "53", "57P", "40", "55P03")
_CANCELLED = "57014"


def is_disconnect(error: NanovecError) -> bool:
    """Was the connection lost, or could none be made?"""
    if not isinstance(error, ServerError) or isinstance(error, BusyError):
        return False
    return error.sqlstate is None or error.sqlstate.startswith(("08", "57P"))


def fault_of(error: NanovecError) -> Fault:
    """The answer that an error is."""
    for kind, status, name in _KINDS:
        if isinstance(error, kind):
            return Fault(status, name, str(error), RETRY_AFTER if status == 503 else {})
    state = error.sqlstate
    if state is None or state.startswith(_TEMPORARY):
        message = f"the database cannot answer now: {error}"
        return Fault(503, "InternalError", message, RETRY_AFTER)
    if state == _CANCELLED:
        return Fault(504, "InternalError", "the database took too long")
    return unexpected()


def unexpected() -> Fault:
    """The answer when nobody expected the error: what it was is in the log."""
    return Fault(500, "InternalError", "an internal error; the server's log has more")
