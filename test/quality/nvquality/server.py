"""The server, spoken to through psql."""

from __future__ import annotations

import os
import shutil
import subprocess

# what psql prints after the answer to the statements that it was handed
END = "--- end of answer ---"


class ServerError(RuntimeError):
    """A statement failed; the text says which, and why."""


class Server:
    """A session in a database, and a schema of our own there that statements find first.

    One psql serves all statements; after an error it is gone and the next
    statement starts another.
    """

    def __init__(self, host: str, database: str, user: str, schema: str) -> None:
        self.host = host
        self.database = database
        self.user = user
        self.schema = schema
        self._psql: subprocess.Popen[str] | None = None

    def run(self, *statements: str, settings: tuple[str, ...] = ()) -> str:
        """Run statements with these settings; what psql prints, unaligned."""
        text = "".join(f"SET {s};\n" for s in settings)
        text += "".join(s if s.startswith("\\") else s + ";\n" for s in statements)
        text += "".join(f"RESET {s.split(' ')[0]};\n" for s in settings)
        return self._ask(text)

    def rows(self, statement: str, settings: tuple[str, ...] = ()) -> list[list[str]]:
        """The rows of a query, as text."""
        printed = self.run(statement, settings=settings)
        return [line.split("|") for line in printed.split("\n")] if printed else []

    def value(self, statement: str, settings: tuple[str, ...] = ()) -> str:
        """The only value of a query."""
        return self.run(statement, settings=settings)

    def copy_in(self, table: str, file: str, binary: bool) -> None:
        """Load a file of this machine."""
        self.run(f"\\copy {table} FROM '{file}' (FORMAT {'binary' if binary else 'text'})\n")

    def make_schema(self) -> None:
        """The schema, empty, whatever a run that was killed left there."""
        self.run(f"DROP SCHEMA IF EXISTS {self.schema} CASCADE", f"CREATE SCHEMA {self.schema}")

    def drop_schema(self) -> None:
        """Remove the schema, unless the server is gone, as an error has told then."""
        try:
            self.run(f"DROP SCHEMA IF EXISTS {self.schema} CASCADE")
        except ServerError:
            pass

    def close(self) -> None:
        """End the session."""
        if self._psql:
            self._psql.communicate()
            self._psql = None

    def methods(self) -> set[str]:
        """The index methods that there are."""
        return {row[0] for row in self.rows("SELECT amname FROM pg_am WHERE amtype = 'i'")}

    def description(self) -> str:
        """Which extension of which version, and which PostgreSQL."""
        return self.value(
            "SELECT (SELECT string_agg(extname || ' ' || extversion, ', ' ORDER BY extname)"
            " FROM pg_extension WHERE extname IN ('vector', 'nanovec'))"
            " || ', PostgreSQL ' || split_part(current_setting('server_version'), ' ', 1)")

    def _open(self) -> subprocess.Popen[str]:
        """The running psql, or a new one."""
        if self._psql is None:
            self._psql = subprocess.Popen(
                [psql(), "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", self.host, "-U", self.user,
                 "-d", self.database],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            # where the extension is may differ, so public stays in the path; the library
            # is loaded first, so that its settings are known
            self._ask(f"SET client_min_messages = error; SET jit = off;"
                      f" SET statement_timeout = '20min'; SELECT '[1]'::vector;\n"
                      f"SET search_path = {self.schema}, public;\n")
        return self._psql

    def _ask(self, text: str) -> str:
        """Hand psql a text and read what it answers."""
        process = self._open()
        assert process.stdin and process.stdout
        answer: list[str] = []
        try:
            process.stdin.write(f"{text}\\echo {END}\n")
            process.stdin.flush()
            for line in process.stdout:
                if line.rstrip("\n") == END:
                    return "".join(answer).strip()
                answer.append(line)
        except BrokenPipeError:
            pass
        self._psql = None
        process.communicate()
        raise ServerError(f"{''.join(answer).strip()}\nin: {text[:1000]}")


def psql() -> str:
    """The psql to use: NANOVEC_BIN's, or the one in PATH."""
    directory = os.environ.get("NANOVEC_BIN")
    if directory:
        return os.path.join(directory, "psql")
    found = shutil.which("psql")
    if found is None:
        raise ServerError("psql is not in PATH")
    return found
