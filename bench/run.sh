#!/usr/bin/env bash
# Prepare a private server with nanovec and its peers, and run bench.py there.
#
#   bench/run.sh [OPTION ...]      options are bench.py's; --help lists them
#   bench/run.sh scale PART ...    likewise, of scale.py
#
# Environment: as test/lib/run.sh; NVBENCH_BUFFERS sets shared_buffers (4GB).
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/.." && pwd)
. "$top/test/lib/setup.sh"
. "$top/test/lib/server.sh"

program=bench.py
if [ "${1:-}" = scale ]; then
	program=scale.py
	shift
fi

setup_machine bench
make_workdir
trap cleanup EXIT
build_extension

if "$here/get-pgvector.sh" "$work/pg" "$pg_config" > "$work/pgvector.log" 2>&1; then
	say "pgvector: $(tail -n 1 "$work/pgvector.log")"
else
	say "pgvector could not be had, and is left out; the reason:"
	tail -n 3 "$work/pgvector.log"
fi
gcc -std=gnu11 -O2 -Wall -I"$("$pg_config" --includedir)" "$here/client/bench_client.c" \
	-o "$work/bench_client" -L"$("$pg_config" --libdir)" -lpq -lpthread

venv=${XDG_CACHE_HOME:-$HOME/.cache}/nanovec-bench/venv
if [ ! -x "$venv/bin/python" ]; then
	say "installing Python packages"
	mkdir -p "$(dirname "$venv")"
	python3 -m venv "$venv" || { as_root apt-get install -y -qq python3-venv; python3 -m venv "$venv"; }
fi
"$venv/bin/pip" install -q --disable-pip-version-check -r "$here/requirements.txt"

start_server
as_user "$bin/psql" -X -q -h "$work/run" -U postgres <<-SQL
	ALTER SYSTEM SET shared_buffers = '${NVBENCH_BUFFERS:-4GB}';
	ALTER SYSTEM SET max_wal_size = '16GB';
	ALTER SYSTEM SET checkpoint_timeout = '1h';
	ALTER SYSTEM SET autovacuum = off;
SQL
as_user "$bin/pg_ctl" -D "$work/run/data" -l "$work/run/server.log" -m fast -w -s restart > /dev/null

control="$bin/pg_ctl -D $work/run/data -l $work/run/server.log"
[ "$(id -u)" -ne 0 ] || control="runuser -u $user -- $control"
mkdir -p "$work/bench"
NVBENCH_WORK=$work/bench NVBENCH_BIN=$bin NVBENCH_HOST=$work/run NVBENCH_CLIENT=$work/bench_client \
	NVBENCH_PG_CTL=$control "$venv/bin/python" "$here/$program" "$@"
