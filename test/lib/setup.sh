# Sourced by run.sh: what the machine needs, and the private copy of PostgreSQL.

say()
{
	echo "# $*"
}

heading()
{
	echo
	echo "== $* =="
}

# Run a command as root, or explain why that can't be.
as_root()
{
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif sudo -n true 2> /dev/null; then
		sudo -n "$@"
	else
		say "this needs root: $*"
		say "run it yourself, or run make as root or with sudo set up"
		exit 1
	fi
}

# The newest pg_config that comes with a server and its headers.
find_pg_config()
{
	local candidate

	for candidate in "${PG_CONFIG:-}" $(ls -d /usr/lib/postgresql/*/bin/pg_config 2> /dev/null | sort -rV) \
		$(command -v pg_config); do
		if [ -n "$candidate" ] && command -v "$candidate" > /dev/null &&
			[ -x "$("$candidate" --bindir)/postgres" ] &&
			[ -f "$("$candidate" --includedir-server)/postgres.h" ]; then
			command -v "$candidate"
			return
		fi
	done
}

# Debian's server package makes a cluster and starts it, which nobody asked for.
install_postgresql()
{
	local config=/etc/postgresql-common/createcluster.conf
	local saved

	as_root apt-get install -y -qq --no-install-recommends postgresql-common
	saved=$(mktemp)
	cp "$config" "$saved"
	as_root sh -c "echo 'create_main_cluster = false' >> $config"
	as_root apt-get install -y -qq --no-install-recommends postgresql postgresql-server-dev-all
	as_root cp "$saved" "$config"
	rm -f "$saved"
}

setup_machine()
{
	local missing=()
	local log

	command -v gcc > /dev/null || missing+=(gcc libc6-dev)
	command -v make > /dev/null || missing+=(make)
	command -v clang > /dev/null || missing+=(clang)
	command -v python3 > /dev/null || missing+=(python3)
	command -v prove > /dev/null || missing+=(perl)
	perl -MIPC::Run -e 1 2> /dev/null || missing+=(libipc-run-perl)
	# to test the kernels of another architecture
	if [ "$(uname -m)" = x86_64 ]; then
		command -v aarch64-linux-gnu-gcc > /dev/null ||
			missing+=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross)
		command -v qemu-aarch64 > /dev/null || missing+=(qemu-user)
	fi
	pg_config=$(find_pg_config)
	if [ ${#missing[@]} -eq 0 ] && [ -n "$pg_config" ]; then
		return
	fi

	command -v apt-get > /dev/null || { say "please install: PostgreSQL with its server headers, ${missing[*]}"; exit 1; }
	say "installing ${missing[*]} ${pg_config:-postgresql}"
	export DEBIAN_FRONTEND=noninteractive
	log=$(mktemp)
	{
		as_root apt-get update -qq
		[ ${#missing[@]} -eq 0 ] || as_root apt-get install -y -qq --no-install-recommends "${missing[@]}"
		[ -n "$pg_config" ] || install_postgresql
	} > "$log" 2>&1 || { cat "$log"; say "packages could not be installed"; exit 1; }
	rm -f "$log"
	pg_config=$(find_pg_config)
	[ -n "$pg_config" ] || { say "no PostgreSQL with server headers was found"; exit 1; }
}

# $work: temporary directory.  $user: who runs the server.  $bin: the copy's programs.
make_workdir()
{
	local bindir sharedir libdir

	umask 022
	work=$(mktemp -d "${TMPDIR:-/tmp}/nanovec.XXXXXX")
	chmod 755 "$work"
	if [ "$(id -u)" -eq 0 ]; then
		user=$(id -un postgres 2> /dev/null || echo nobody)
	else
		user=$(id -un)
	fi

	# PostgreSQL finds its files relative to its programs, so a copy works.
	bindir=$("$pg_config" --bindir)
	sharedir=$("$pg_config" --sharedir)
	libdir=$("$pg_config" --pkglibdir)
	mkdir -p "$work/pg$bindir" "$work/pg$sharedir" "$work/pg$libdir" "$work/run"
	cp -a "$bindir/." "$work/pg$bindir/"
	cp -a "$sharedir/." "$work/pg$sharedir/"
	cp -a "$libdir/." "$work/pg$libdir/"
	bin=$work/pg$bindir
	pgxs=$(dirname "$("$pg_config" --pgxs)")/../..
	say "PostgreSQL: $("$pg_config" --version), as user $user"
}

# Build in the source tree, install into the copy.
build_extension()
{
	local log=$work/build.log
	local make_args=(-s -C "$top" PG_CONFIG="$pg_config" with_llvm=no WERROR=1)

	say "building"
	if ! { make "${make_args[@]}" -j"$(nproc)" all &&
		make "${make_args[@]}" install DESTDIR="$work/pg"; } > "$log" 2>&1; then
		cat "$log"
		say "the build failed"
		exit 1
	fi
	# the server's user may not be able to read the source tree
	mkdir "$work/src"
	cp -a "$top/sql" "$top/expected" "$top/test" "$top/bench" "$top/demo" "$top/tools" "$top/docs" "$top"/*.md "$top/META.json" \
		"$top/nanovec.control" "$work/src/"
	[ "$(id -u)" -ne 0 ] || chown -R "$user" "$work/src" "$work/run"
}
