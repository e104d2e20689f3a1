"""The version of this package, which is that of the extension in it."""

from pathlib import Path

#: The extension that was built for the embedded PostgreSQL
ENGINE = Path(__file__).resolve().parent / "_engine"


def _read() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("nanovec")
    except PackageNotFoundError:
        return "0"


__version__ = _read()
