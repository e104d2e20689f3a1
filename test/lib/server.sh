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

# The same, with a file system of a few MB at $NANOVEC_SMALL_DISK, for tests of a
# full disk.  It takes root, and goes with the command: nobody else sees it.
as_user_with_disk()
{
	local disk=$work/run/small

	mkdir -p "$disk"
	if [ "$(id -u)" -ne 0 ] ||
		! unshare --mount --propagation private mount -t tmpfs nanovec "$disk" 2> /dev/null; then
		as_user "$@"
		return
	fi
	(cd "$work/run" && unshare --mount --propagation private sh -c '
		mount -t tmpfs -o size=5m,mode=700,uid="$1" nanovec "$2" && shift 2 && exec "$@"' \
		- "$(id -u "$user")" "$disk" \
		runuser -u "$user" -- env HOME="$work/run" NANOVEC_SMALL_DISK="$disk" "$@")
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
	as_user env ${watch_env[@]+"${watch_env[@]}"} "$bin/pg_ctl" -D "$work/run/data" -l "$work/run/server.log" \
		${watch_start[@]+"${watch_start[@]}"} -w start > "$log" 2>&1 ||
		{ cat "$log" "$work/run/server.log"; exit 1; }
	server_running=1
	say "server started"
}

# Clients connect with a password through the loopback interface, as a plain
# user.  Sets $client_port.
let_clients_in()
{
	client_port=$(free_port)
	sql -q -d postgres -c "CREATE ROLE client LOGIN CREATEDB PASSWORD 'secret'"
	echo 'host all client 127.0.0.1/32 scram-sha-256' > "$work/run/data/pg_hba.conf.new"
	cat "$work/run/data/pg_hba.conf" >> "$work/run/data/pg_hba.conf.new"
	mv "$work/run/data/pg_hba.conf.new" "$work/run/data/pg_hba.conf"
	chown --reference="$work/run/data" "$work/run/data/pg_hba.conf"
	sql -q -d postgres -c "ALTER SYSTEM SET listen_addresses = '127.0.0.1'" \
		-c "ALTER SYSTEM SET port = $client_port"
	as_user "$bin/pg_ctl" -D "$work/run/data" -l "$work/run/server.log" -m fast -w restart > /dev/null
	export PGPORT=$client_port
}

# A TCP port that nobody listens on
free_port()
{
	local port

	for port in $(shuf -i 20000-29999 -n 20); do
		(: < "/dev/tcp/127.0.0.1/$port") 2> /dev/null || { echo "$port"; return; }
	done
}

# client_database NAME: create it and point libpq's variables and DATABASE_URL at it
client_database()
{
	sql -q -d postgres -c "CREATE DATABASE $1 OWNER client"
	export PGHOST=127.0.0.1 PGPORT=$client_port PGUSER=client PGPASSWORD=secret PGDATABASE=$1
	export DATABASE_URL=postgresql://client:secret@127.0.0.1:$client_port/$1
}

sql()
{
	as_user "$bin/psql" -X -h "$work/run" -U postgres "$@"
}

cleanup()
{
	local status=$? groups group file i

	# tests that were interrupted, and servers that they left
	groups=$(jobs -rp)
	for group in $groups; do
		kill -TERM -- "-$group" 2> /dev/null || true
	done
	for group in $groups; do
		for ((i = 0; i < 600; i++)); do
			kill -0 -- "-$group" 2> /dev/null || break
			sleep 0.1
		done
	done
	while read -r file; do
		as_user "$bin/pg_ctl" -D "$(dirname "$file")" -m immediate -w stop > /dev/null 2>&1 || true
	done < <(find "$work" -name postmaster.pid 2> /dev/null)
	if [ -n "${KEEP:-}" ]; then
		say "kept: $work"
	else
		rm -rf "$work"
	fi
	exit $status
}
