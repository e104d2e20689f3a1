# Sourced by run.sh: the throw-away server.

# Run a command as the server's user, in a directory that it may enter.
as_user()
{
	if [ "$(id -u)" -eq 0 ]; then
		(cd "$work/run" && runuser -u "$user" -- env HOME="$work/run" "$@")
	else
		(cd "$work/run" && "$@")
	fi
}

start_server()
{
	local log=$work/run/initdb.log

	[ -z "${server_running:-}" ] || return 0
	as_user "$bin/initdb" -D "$work/run/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 -N \
		> "$log" 2>&1 || { cat "$log"; exit 1; }
	cat >> "$work/run/data/postgresql.conf" <<-CONF
		listen_addresses = ''
		unix_socket_directories = '$work/run'
		fsync = off
		shared_buffers = 256MB
		max_parallel_workers_per_gather = 2
		log_line_prefix = '%m [%p] %q%a '
	CONF
	as_user "$bin/pg_ctl" -D "$work/run/data" -l "$work/run/server.log" -w start > "$log" 2>&1 ||
		{ cat "$log" "$work/run/server.log"; exit 1; }
	server_running=1
	say "server started"
}

sql()
{
	as_user "$bin/psql" -X -h "$work/run" -U postgres "$@"
}

cleanup()
{
	local status=$?

	if [ -n "${server_running:-}" ]; then
		as_user "$bin/pg_ctl" -D "$work/run/data" -m immediate -w stop > /dev/null 2>&1 || true
	fi
	if [ -n "${KEEP:-}" ]; then
		say "kept: $work"
	else
		rm -rf "$work"
	fi
	exit $status
}
