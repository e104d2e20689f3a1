"""Settings of the command line: flags, then the environment, then a TOML file."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from . import client as clients
from .client import Client
from .errors import InvalidArgumentError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pyright: ignore[reportMissingImports]


class Settings(BaseModel):
    """Where collections are, and where they are served."""

    model_config = ConfigDict(extra="forbid")

    path: str | None = None
    dsn: str | None = None
    tenant: str = "default_tenant"
    database: str = "default_database"
    keep_running: bool = False
    # of the HTTP server
    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None

    def client(self) -> Client:
        """A client of what these say."""
        if self.dsn:
            return clients.connect(self.dsn, tenant=self.tenant, database=self.database)
        return clients.open_(
            self.path or "nanovec_data",
            keep_running=self.keep_running,
            tenant=self.tenant,
            database=self.database,
        )


def config_file() -> Path | None:
    """The TOML file: NANOVEC_CONFIG, ./nanovec.toml, or the user's."""
    named = os.environ.get("NANOVEC_CONFIG")
    if named:
        return Path(named)
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    for candidate in (Path("nanovec.toml"), home / "nanovec" / "config.toml"):
        if candidate.is_file():
            return candidate
    return None


def load(flags: dict[str, Any]) -> Settings:
    """Settings of all three places; of path and dsn, the one that is said first counts."""
    values: dict[str, Any] = {}
    file = config_file()
    layers: list[dict[str, Any]] = []
    if file is not None:
        try:
            layers.append(tomllib.loads(file.read_text()))
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InvalidArgumentError(f"{file}: {error}") from error
    names = Settings.model_fields
    environment = {n: os.environ.get(f"NANOVEC_{n.upper()}") for n in names}
    layers.append({n: v for n, v in environment.items() if v})
    layers.append({n: v for n, v in flags.items() if v is not None})
    for layer in layers:
        if "path" in layer or "dsn" in layer:
            values.pop("path", None)
            values.pop("dsn", None)
        if layer.get("path") and layer.get("dsn"):
            raise InvalidArgumentError("give a path or a dsn, not both")
        values |= layer
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidArgumentError(f"setting {where}: {first['msg']}") from error
