"""The command line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from . import archive, doctor, embedded, migrate, settings, transfer
from ._version import __version__
from ._wire import dump_json
from .client import Client, Collection
from .errors import InvalidArgumentError, NanovecError, NotFoundError
from .files import ReadOptions, rows_of_a_batch

app = typer.Typer(
    help="Collections of vectors on PostgreSQL: an embedded one, or your own.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
migrations = typer.Typer(help="Take over collections of other databases.", no_args_is_help=True)
app.add_typer(migrations, name="migrate")
out = Console()
err = Console(stderr=True)

_flags: dict[str, Any] = {}


def _version(wanted: bool) -> None:
    if wanted:
        print(f"nanovec {__version__}")
        raise typer.Exit()


@app.callback()
def common(
    path: Annotated[
        str | None, typer.Option(help="Directory of an embedded server. [NANOVEC_PATH]")
    ] = None,
    dsn: Annotated[
        str | None, typer.Option(help="A PostgreSQL that has nanovec. [NANOVEC_DSN]")
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="[NANOVEC_TENANT]")] = None,
    database: Annotated[str | None, typer.Option(help="[NANOVEC_DATABASE]")] = None,
    keep_running: Annotated[
        bool | None,
        typer.Option(
            "--keep-running", help="Leave the embedded server running. [NANOVEC_KEEP_RUNNING]"
        ),
    ] = None,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False,
) -> None:
    """Say where collections are: by flags, the environment or nanovec.toml, in this order."""
    _flags.clear()
    _flags.update(path=path, dsn=dsn, tenant=tenant, database=database, keep_running=keep_running)


def _client() -> Client:
    return settings.load(_flags).client()


def _json(value: Any) -> None:
    sys.stdout.buffer.write(
        orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_INDENT_2) + b"\n"
    )


def _parse(text: str | None, what: str) -> Any:
    if text is None:
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidArgumentError(f"{what} is not JSON: {error}") from error


@contextmanager
def _progress(title: str, total: int | None) -> Iterator[Callable[[int, int], None]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,} rows{task.fields[bad]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, disable=not err.is_terminal) as bar:
        task = bar.add_task(title, total=total, bad="")

        def show(read: int, bad: int) -> None:
            bar.update(task, completed=read, bad=f", {bad} bad" if bad else "")

        yield show


IndexOption = Annotated[
    str | None, typer.Option("--index", help='Options of the index, as JSON: {"type": "ivf"}')
]


def _import_target(
    client: Client, file: Path, name: str | None, metric: str, index: str | None, suffix: str
) -> Collection:
    if suffix == ".nvec":
        return transfer.collection_of_archive(client, file, name)
    wanted = name or file.name.removesuffix(file.suffix)
    try:
        return client.get_collection(wanted)
    except NotFoundError:
        return client.create_collection(wanted, metric=metric, index=_parse(index, "--index"))  # pyright: ignore[reportArgumentType]


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A file: " + " ".join(transfer.READERS))],
    collection: Annotated[str | None, typer.Argument(help="Default: the file's name.")] = None,
    metric: Annotated[
        str, typer.Option(help="Of a new collection: cosine, l2, ip, l1.")
    ] = "cosine",
    index: IndexOption = None,
    id_prefix: Annotated[
        str, typer.Option(help="Before row numbers, where a file has no ids.")
    ] = "",
    dataset: Annotated[str | None, typer.Option(help="Of an HDF5 file.")] = None,
    upsert: Annotated[
        bool, typer.Option("--upsert", help="Update rows whose ids are there.")
    ] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="From the first row, after a break.")
    ] = False,
    bad_rows: Annotated[
        Path | None, typer.Option(help="Where bad rows are kept; default: FILE.bad.jsonl")
    ] = None,
) -> None:
    """Import a file.  After a break, the same command goes on where it was."""
    suffix = transfer.suffix_of(file, transfer.READERS)
    if not file.is_file():
        raise InvalidArgumentError(f"{file} is no file")
    bad_rows = bad_rows or file.with_name(file.name + ".bad.jsonl")
    with _client() as client:
        target = _import_target(client, file, collection, metric, index, suffix)
        with _progress(f"{file.name} -> {target.name}", None) as show:
            result = transfer.import_file(
                client,
                target,
                file,
                options=ReadOptions(id_prefix, dataset),
                mode="upsert" if upsert else "add",
                restart=restart,
                bad_rows=bad_rows,
                progress=show,
            )
        if result.resumed_at:
            out.print(f"went on after row {result.resumed_at:,}")
        out.print(f"{target.name}: {result.read:,} rows read, {result.written:,} written")
        skipped = result.read - result.resumed_at - result.written - result.bad
        if skipped > 0 and not result.resumed_at:
            out.print(f"{skipped:,} were there already")
        if result.bad:
            err.print(f"{result.bad:,} bad rows: see {bad_rows}", style="red", highlight=False)
            raise typer.Exit(3)


@app.command("export")
def export(
    collection: str,
    file: Annotated[Path, typer.Argument(help="A file: " + " ".join(transfer.WRITERS))],
) -> None:
    """Export a collection, as it is at this moment."""
    transfer.suffix_of(file, transfer.WRITERS)
    with _client() as client:
        source = client.get_collection(collection)
        with _progress(f"{collection} -> {file.name}", source.count()) as show:
            rows = transfer.export_file(client, source, file, show)
        out.print(f"{file}: {rows:,} rows", highlight=False)


def _report(migrated: migrate.Migrated) -> None:
    out.print(
        f"{migrated.source} -> {migrated.name}: {migrated.rows:,} rows there, "
        f"{migrated.rows_there:,} here; "
        f"{migrated.agreement:.1%} of a sample's answers are the same",
        highlight=False,
    )


def _finish(all_of_them: list[migrate.Migrated]) -> None:
    missing = [m.name for m in all_of_them if m.rows_there < m.rows]
    if missing:
        err.print(f"rows are missing in {', '.join(missing)}", style="red")
        raise typer.Exit(3)
    if not all_of_them:
        out.print("there is nothing to migrate")


def _migrate(generator: Callable[[Client, Callable], Iterator[migrate.Migrated]]) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    done = []
    with _client() as client, Progress(*columns, console=err, disable=not err.is_terminal) as bar:

        def begin(name: str, total: int) -> transfer.Progress:
            task = bar.add_task(name, total=total)
            return lambda read, bad: bar.update(task, completed=read)

        for migrated in generator(client, begin):
            done.append(migrated)
            _report(migrated)
    _finish(done)


@migrations.command("chroma")
def migrate_chroma(
    source: Annotated[
        str, typer.Argument(help="A directory of PersistentClient, or a server's URL.")
    ],
    collections: Annotated[
        list[str] | None, typer.Option(help="Only this; can be repeated.")
    ] = None,
    ivf: Annotated[
        bool, typer.Option("--ivf", help="Make ivf indexes, which are smaller.")
    ] = False,
) -> None:
    """Take over collections of Chroma, and compare a sample of answers."""
    index = {"type": "ivf"} if ivf else None
    _migrate(
        lambda client, begin: migrate.migrate_chroma(
            client, source, names=collections, index=index, progress=begin
        )
    )


@migrations.command("pgvector")
def migrate_pgvector(
    dsn: Annotated[str, typer.Argument(help="The database that has pgvector's tables.")],
    tables: Annotated[list[str] | None, typer.Option(help="Only this; can be repeated.")] = None,
    ivf: Annotated[
        bool, typer.Option("--ivf", help="Make ivf indexes, which are smaller.")
    ] = False,
) -> None:
    """Take over tables with vectors, and compare a sample of answers."""
    index = {"type": "ivf"} if ivf else None
    _migrate(
        lambda client, begin: migrate.migrate_pgvector(
            client, dsn, names=tables, index=index, progress=begin
        )
    )


AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


@app.command()
def collections(json: AsJson = False) -> None:
    """List collections."""
    with _client() as client:
        found = client.list_collections()
        if json:
            _json([info.model_dump(mode="json") for info in found])
            return
        table = Table("name", "dimension", "metric", "index", "table")
        for info in found:
            dimension = "" if info.dimension is None else str(info.dimension)
            table.add_row(info.name, dimension, info.metric, info.index["type"], info.relation)
        out.print(table)


def _query_vectors(
    target: Collection, id_: str | None, vector: str | None, file: Path | None
) -> tuple[list[str], Any]:
    if sum(x is not None for x in (id_, vector, file)) != 1:
        raise InvalidArgumentError("give one of --id, --vector and --file")
    if id_ is not None:
        found = target.get([id_], include=["embeddings"])
        if len(found) == 0 or found.embeddings is None:
            raise NotFoundError(f"{target.name} has no row {id_!r}")
        return [id_], found.embeddings
    if vector is not None:
        return ["1"], [_parse(vector, "--vector")]
    assert file is not None
    batch = next(transfer.read_batches(file, ReadOptions(), 0), None)
    if batch is None or len(batch.rows) == 0:
        raise InvalidArgumentError(f"{file} has no rows")
    most = min(len(batch.rows), rows_of_a_batch(1))
    return batch.rows.ids[:most], np.asarray(batch.rows.vectors[:most])


@app.command()
def query(
    collection: str,
    id_: Annotated[str | None, typer.Option("--id", help="Nearest to this row.")] = None,
    vector: Annotated[str | None, typer.Option(help="Nearest to this: a JSON array.")] = None,
    file: Annotated[Path | None, typer.Option(help="Nearest to each vector of a file.")] = None,
    k: Annotated[int, typer.Option("-k", "--k", help="How many.")] = 10,
    where: Annotated[str | None, typer.Option(help="A filter on metadata, as JSON.")] = None,
    where_document: Annotated[
        str | None, typer.Option(help="A filter on documents, as JSON.")
    ] = None,
    threshold: Annotated[float | None, typer.Option(help="Leave out what is farther.")] = None,
    json: AsJson = False,
) -> None:
    """Find the nearest rows to a row, a vector, or each vector of a file."""
    with _client() as client:
        target = client.get_collection(collection)
        names, vectors = _query_vectors(target, id_, vector, file)
        result = target.query(
            vectors,
            k=k,
            where=_parse(where, "--where"),
            where_document=_parse(where_document, "--where-document"),
            threshold=threshold,
        )
        documents, metadatas = result.documents, result.metadatas
        assert documents is not None and metadatas is not None
        answers = [
            {
                "query": name,
                "results": [
                    {"id": i, "distance": d, "document": t, "metadata": m}
                    for i, d, t, m in zip(
                        result.ids[n], result.distances[n], documents[n], metadatas[n], strict=True
                    )
                ],
            }
            for n, name in enumerate(names)
        ]
        if json:
            _json(answers)
            return
        table = Table("query", "id", "distance", "document", "metadata")
        for answer in answers:
            for row in answer["results"]:
                document = row["document"] or ""
                table.add_row(
                    answer["query"], row["id"], f"{row['distance']:.6g}",
                    document if len(document) <= 60 else document[:57] + "...",
                    dump_json(row["metadata"]).decode(),
                )  # fmt: skip
        out.print(table)


@app.command()
def stats(collection: str, json: AsJson = False) -> None:
    """Show rows, sizes and index of a collection."""
    with _client() as client:
        found = client.get_collection(collection).stats()
        if json:
            _json(found)
            return
        table = Table(collection, "")
        index = found.pop("vector_index") or {}
        for key, value in found.items():
            table.add_row(key, f"{value:,}" if isinstance(value, int) else str(value))
        for key, value in (index.get("info") or {}).items():
            table.add_row(f"index: {key}", str(value))
        out.print(table)


@app.command()
def recall(
    collection: str,
    queries: Annotated[int, typer.Option(help="How many rows to take as queries.")] = 100,
    k: Annotated[int, typer.Option("-k", "--k", help="How many nearest.")] = 10,
    ef_search: Annotated[int | None, typer.Option(help="Of hnsw.")] = None,
    n_probe: Annotated[int | None, typer.Option(help="Of ivf.")] = None,
    json: AsJson = False,
) -> None:
    """Measure what share of the nearest rows searches find."""
    given = {"ef_search": ef_search, "n_probe": n_probe}
    options = {key: value for key, value in given.items() if value is not None}
    with _client() as client:
        found = client.get_collection(collection).recall(queries, k, options)
        if json:
            _json(found.model_dump())
            return
        out.print(
            f"recall@{k} {found.recall:.4f}, at worst {found.worst:.2f}, of {found.asked} queries",
            highlight=False,
        )


@app.command()
def rebuild(collection: str, index: IndexOption = None) -> None:
    """Build the index of a collection anew, or end a batch that was left open."""
    with _client() as client:
        target = client.get_collection(collection)
        if target.info.batches:
            target.end_batches()
        target.rebuild(_parse(index, "--index"))


@app.command("doctor")
def doctor_(json: AsJson = False) -> None:
    """Look whether all is well, and say what to do where it is not."""
    with _client() as client:
        findings = doctor.examine(client)
        if client.server is not None:
            findings.insert(0, doctor.Finding("ok", "embedded server", str(client.server.path)))
        if json:
            _json([vars(f) for f in findings])
        else:
            styles = {"ok": "green", "advice": "yellow", "problem": "red"}
            table = Table("", "what", "found", "what to do")
            for f in findings:
                table.add_row(f"[{styles[f.level]}]{f.level}", f.what, f.found, f.advice)
            out.print(table)
    if any(f.level == "problem" for f in findings):
        raise typer.Exit(1)


@app.command()
def serve(
    host: Annotated[
        str | None,
        typer.Option(help="Where to listen; others than loopback take a token. [NANOVEC_HOST]"),
    ] = None,
    port: Annotated[int | None, typer.Option(help="[NANOVEC_PORT]")] = None,
    token: Annotated[
        str | None,
        typer.Option(help="What requests must bring. Others see flags: better [NANOVEC_TOKEN]"),
    ] = None,
    cors_origin: Annotated[
        list[str] | None, typer.Option(help="Pages of this origin may ask; can be repeated.")
    ] = None,
    connections: Annotated[int, typer.Option(help="To PostgreSQL.")] = 10,
    timeout: Annotated[float, typer.Option(help="Seconds for a request.")] = 60.0,
    max_body: Annotated[int, typer.Option(help="Megabytes of a request.")] = 64,
    max_batch: Annotated[int, typer.Option(help="Rows of a write.")] = 2000,
    allow_reset: Annotated[
        bool, typer.Option("--allow-reset", help="Let Chroma's reset() drop all collections.")
    ] = False,
) -> None:
    """Serve collections over HTTP, with an API of our own and with Chroma's."""
    try:
        from .server import ServerOptions, serve
    except ImportError as error:
        raise NanovecError(
            "the server takes more packages: pip install 'nanovec[server]'"
        ) from error
    found = settings.load(_flags | {"host": host, "port": port, "token": token})
    options = ServerOptions(
        host=found.host,
        port=found.port,
        token=found.token,
        cors_origins=tuple(cors_origin or ()),
        connections=connections,
        timeout=timeout,
        max_body=max_body << 20,
        max_batch=max_batch,
        allow_reset=allow_reset,
    )
    serve(found.path, found.dsn, options)


@app.command()
def stop() -> None:
    """Stop the embedded server of a directory, whoever uses it."""
    found = settings.load(_flags)
    if found.dsn:
        raise InvalidArgumentError("only an embedded server can be stopped: give --path")
    ran = embedded.stop(found.path or "nanovec_data")
    out.print("stopped" if ran else "it did not run")


@app.command("inspect")
def inspect(file: Path) -> None:
    """Show what an archive .nvec holds, and whether it is whole."""
    if not file.is_file():
        raise InvalidArgumentError(f"{file} is no file")
    manifest = archive.read_manifest(file)
    archive.verify(file, manifest)
    _json(manifest.model_dump())


def main() -> None:
    """Run the command line."""
    try:
        app()
    except NanovecError as error:
        err.print(f"nanovec: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
