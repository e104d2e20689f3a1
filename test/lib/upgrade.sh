#!/usr/bin/env bash
# pg_upgrade of a database with all kinds of index, printed as TAP.
#
#   test/lib/upgrade.sh OLD_PG_CONFIG NEW_PG_CONFIG
#
# Both servers have this nanovec.  The indexes are not rebuilt, so what they
# answer afterwards is to be the same, row by row.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
. "$here/setup.sh"
. "$here/server.sh"

[ $# -eq 2 ] || { sed -n '2,/^set /s/^# \{0,1\}//p' "$0" | sed '$d'; exit 2; }

count=0
bad=0
works=()

# both directories go in the end, and whatever runs in them
finish()
{
	local status=$?

	[ -z "${server_running:-}" ] ||
		as_user "$bin/pg_ctl" -D "$work/run/data" -m immediate -w stop > /dev/null 2>&1 || true
	if [ -n "${KEEP:-}" ]; then
		say "kept: ${works[*]}"
	else
		rm -rf "${works[@]}"
	fi
	exit "$status"
}
trap finish EXIT

# report NAME COMMAND ...: ok if the command succeeds; else what it printed
report()
{
	local name=$1
	shift

	count=$((count + 1))
	if "$@" > "$work/out" 2>&1; then
		echo "ok $count - $name"
	else
		echo "not ok $count - $name"
		sed 's/^/# /' "$work/out" | head -n 60
		bad=1
	fi
}

# Build and install for a pg_config; sets $work, $bin and so on.
prepare()
{
	pg_config=$1
	PG_CONFIG=$1 setup_machine
	make_workdir
	works+=("$work")
	build_extension
}

stop_server()
{
	as_user "$bin/pg_ctl" -D "$work/run/data" -m fast -w stop > /dev/null
	server_running=
}

query()
{
	sql -q -At -v ON_ERROR_STOP=1 -d postgres "$@"
}

# A table with a column and an index of each kind: NAME|TYPE|INDEX|OPERATOR
kinds=(
	'v|vector(24)|hnsw (v vector_l2_ops)|<->'
	'vc|vector(24)|hnsw (vc vector_cosine_ops) WITH (storage = float4)|<=>'
	'long|vector(2500)|hnsw (long vector_ip_ops)|<#>'
	'h|halfvec(24)|hnsw (h halfvec_l2_ops)|<->'
	'q|sq8vec(24)|hnsw (q sq8vec_l2_ops)|<->'
	'b|bit(24)|hnsw (b bit_hamming_ops)|<~>'
	's|sparsevec(24)|hnsw (s sparsevec_l2_ops)|<->'
	'lv|vector(24)|ivf (lv vector_l2_ops) WITH (lists = 9)|<->'
	'llong|vector(2500)|ivf (llong vector_cosine_ops) WITH (lists = 3)|<=>'
	'lh|halfvec(24)|ivf (lh halfvec_cosine_ops)|<=>'
	'lb|bit(24)|ivf (lb bit_hamming_ops) WITH (lists = 5)|<~>'
	'fv|vector(24)|ivfflat (fv vector_l2_ops) WITH (lists = 7)|<->'
	'fh|halfvec(24)|ivfflat (fh halfvec_ip_ops) WITH (lists = 4)|<#>'
)

# Commands that put rows $1 to $2 in
insert_rows()
{
	local kind name type index operator values=

	for kind in "${kinds[@]}"; do
		IFS='|' read -r name type index operator <<< "$kind"
		case $type in
			bit*) values+=", binary_quantize(a_vector(i, 24))" ;;
			sq8vec*) values+=", a_vector(i, 24)::sq8vec" ;;
			*\(2500\)) values+=", a_vector(i, 2500)" ;;
			*) values+=", a_vector(i, 24)::${type%%(*}" ;;
		esac
	done
	echo "INSERT INTO items SELECT i$values FROM generate_series($1, $2) i;"
}

make_database()
{
	local kind name type index operator columns=

	for kind in "${kinds[@]}"; do
		IFS='|' read -r name type index operator <<< "$kind"
		columns+=", $name $type"
	done
	{
		echo "CREATE EXTENSION nanovec;"
		# an own schema's function as in any application
		echo "CREATE FUNCTION a_vector(i int, dims int) RETURNS vector LANGUAGE sql IMMUTABLE AS
			\$\$ SELECT array_agg(sin(i * j) + (i % 20))::vector FROM generate_series(1, dims) j \$\$;"
		echo "CREATE TABLE items (id int PRIMARY KEY $columns);"
		insert_rows 1 600
		for kind in "${kinds[@]}"; do
			IFS='|' read -r name type index operator <<< "$kind"
			echo "CREATE INDEX items_$name ON items USING $index;"
		done
		# what a used index has: inserts, dead entries, freed places
		insert_rows 601 700
		echo "DELETE FROM items WHERE id % 7 = 0;"
		echo "VACUUM items;"
		insert_rows 701 750
	} > "$work/make.sql"
	query < "$work/make.sql"
}

# The 10 nearest of ten rows by each index, and which index it was
answers()
{
	local kind name type index operator

	{
		echo "SET enable_seqscan = off; SET enable_sort = off; SET jit = off;"
		for kind in "${kinds[@]}"; do
			IFS='|' read -r name type index operator <<< "$kind"
			echo "SELECT '$name', q.id, (SELECT string_agg(id::text, ' ') FROM (SELECT i.id FROM items i
				ORDER BY i.$name $operator q.$name LIMIT 10) n) FROM items q WHERE q.id % 75 = 1 ORDER BY q.id;"
			echo "SELECT '$name', count(*) FILTER (WHERE line LIKE '%Index Scan using items_$name on%') FROM
				plan_of('SELECT id FROM items ORDER BY $name $operator (SELECT $name FROM items WHERE id = 1) LIMIT 10') line;"
		done
	} > "$work/answers.sql"
	query -c "CREATE OR REPLACE FUNCTION plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS
		\$\$ BEGIN RETURN QUERY EXECUTE 'EXPLAIN (COSTS off) ' || query; END \$\$"
	query < "$work/answers.sql"
}

# What nanovec_index_check() has to say of all indexes
problems()
{
	query -c "SELECT c.relname, p.* FROM pg_class c JOIN pg_am a ON a.oid = c.relam,
		LATERAL nanovec_index_check(c.oid) p WHERE a.amname IN ('hnsw', 'ivf', 'ivfflat')"
}

all_sound()
{
	problems
	[ -z "$(problems)" ]
}

all_answered_by_their_index()
{
	grep -E '^[a-z]+\|[0-9]+$' "$1"
	[ "$(grep -cE '^[a-z]+\|1$' "$1")" = "${#kinds[@]}" ]
}

rows_in_all()
{
	query -c "SELECT c.relname, i.value, (SELECT count(*) FROM items) FROM pg_class c JOIN pg_am a ON a.oid = c.relam,
		LATERAL nanovec_index_info(c.oid) i WHERE a.amname IN ('hnsw', 'ivf', 'ivfflat') AND i.property = 'rows'" |
		tee "$work/rows" | awk -F'|' '$2 != $3 { print; bad = 1 } END { exit bad || NR != '${#kinds[@]}' }'
}

no_crash()
{
	! grep -E 'terminated by signal|PANIC' "$@"
}

prepare "$1"
start_server
make_database
answers > "$work/answers"
report "every index answers in the old server" all_answered_by_their_index "$work/answers"
report "and is sound there" all_sound
stop_server
old_work=$work old_bin=$bin

prepare "$2"
mkdir -p "$work/run/upgrade"
# as the old cluster is, whatever the newer initdb would do
checksums=$(as_user "$old_bin/pg_controldata" "$old_work/run/data" | sed -n 's/^Data page checksum version: *//p')
[ "$checksums" != 0 ] && option=-k || option=$("$bin/initdb" --help | grep -o -m 1 -e --no-data-checksums || true)
as_user "$bin/initdb" -D "$work/run/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 -N $option \
	> "$work/initdb.log" 2>&1 || { cat "$work/initdb.log"; exit 1; }
[ "$(id -u)" -ne 0 ] || chown "$user" "$work/run/upgrade"
report "pg_upgrade" as_user sh -c 'cd upgrade && exec "$@"' - "$bin/pg_upgrade" -U postgres \
	-b "$old_bin" -B "$bin" -d "$old_work/run/data" -D "$work/run/data" -s "$work/run/upgrade" -j 1
cat >> "$work/run/data/postgresql.conf" <<-CONF
	listen_addresses = ''
	unix_socket_directories = '$work/run'
	fsync = off
CONF
as_user "$bin/pg_ctl" -D "$work/run/data" -l "$work/run/server.log" -w start > "$work/out" 2>&1 ||
	{ cat "$work/out" "$work/run/server.log"; exit 1; }
server_running=1
say "upgraded: $(query -c 'SELECT version()')"

answers > "$work/answers"
report "the same rows come out of every index" diff "$old_work/answers" "$work/answers"
report "every index is sound" all_sound
insert_rows 2001 2300 | query
query -c "DELETE FROM items WHERE id % 5 = 0" -c "UPDATE items SET id = -id WHERE id % 11 = 0" -c "VACUUM items"
report "and after inserts, updates, deletes and vacuum" all_sound
report "and holds every row once" rows_in_all
for kind in "${kinds[@]}"; do
	IFS='|' read -r name rest <<< "$kind"
	query -c "REINDEX INDEX items_$name"
done
report "and after REINDEX" all_sound
report "no backend crashed" no_crash "$work/run/server.log" "$old_work/run/server.log"
stop_server

echo "1..$count"
exit "$bad"
