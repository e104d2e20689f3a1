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

die()
{
	say "$*"
	exit 1
}

# Run a command as root; fails where that can't be.
as_root()
{
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo -n "$@"
	fi
}

# The newest pg_config that comes with a server and its headers, or the one asked for.
find_pg_config()
{
	local candidate

	for candidate in ${PG_CONFIG:-$(ls -d /usr/lib/postgresql/*/bin/pg_config 2> /dev/null | sort -rV) pg_config}; do
		if command -v "$candidate" > /dev/null &&
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
	local saved status=0

	apt_install postgresql-common || return
	saved=$(mktemp)
	cp "$config" "$saved"
	as_root sh -c "echo 'create_main_cluster = false' >> $config"
	apt_install postgresql postgresql-server-dev-all || status=$?
	as_root cp "$saved" "$config"
	rm -f "$saved"
	return $status
}

apt_install()
{
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

# need PROGRAM PACKAGE...: remember packages whose program is missing
need()
{
	command -v "$1" > /dev/null || missing+=("${@:2}")
}

# Does clang have its libraries of the fuzzer and the sanitizers?
can_fuzz()
{
	echo 'int LLVMFuzzerTestOneInput(const char *d, unsigned long n); int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return 0; }' |
		clang -fsanitize=fuzzer,address,undefined -x c -o /dev/null - > /dev/null 2>&1
}

# What the languages of test/clients need: their client.sh says it in client_need
need_clients()
{
	local file

	for file in "$top"/test/clients/*/client.sh; do
		. "$file"
		client_need
	done
}

# setup_machine SUITE...: install what is missing for these
setup_machine()
{
	local missing=() log suite

	pg_config=$(find_pg_config)
	[ -n "$pg_config" ] || [ -z "${PG_CONFIG:-}" ] ||
		die "PG_CONFIG=$PG_CONFIG is no pg_config of a server with its headers"
	need gcc gcc libc6-dev
	need make make
	for suite in "$@"; do
		case $suite in
			build)
				need clang clang
				# to test the kernels of another architecture
				if [ "$(uname -m)" = x86_64 ]; then
					need aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu libc6-dev-arm64-cross
					need qemu-aarch64 qemu-user
				fi ;;
			fuzz)
				need clang clang
				can_fuzz || missing+=(libclang-rt-dev) ;;
			tap|large|soak)
				need prove perl
				perl -MIPC::Run -e 1 2> /dev/null || missing+=(libipc-run-perl) ;;
			clients)
				need_clients ;;
			python)
				need python3 python3
				python3 -c 'import ensurepip, venv' 2> /dev/null || missing+=(python3-venv)
				need node nodejs
				need npm npm ;;
			bench|quality)
				need python3 python3 ;;
		esac
	done
	[ "${NANOVEC_WATCH:-}" != valgrind ] || need valgrind valgrind
	if [ ${#missing[@]} -eq 0 ] && [ -n "$pg_config" ]; then
		return
	fi

	[ -n "$pg_config" ] || say "PostgreSQL with its server headers is missing"
	[ ${#missing[@]} -eq 0 ] || say "missing packages: ${missing[*]}"
	command -v apt-get > /dev/null || die "please install them; this script knows apt only"
	as_root true 2> /dev/null || die "please install them (that needs root), or run this as root or with sudo"
	say "installing them; this can take a few minutes"
	log=$(mktemp)
	if ! as_root apt-get update -qq > "$log" 2>&1 ||
		! { [ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"; } >> "$log" 2>&1 ||
		! { [ -n "$pg_config" ] || install_postgresql; } >> "$log" 2>&1; then
		tail -n 20 "$log"
		rm -f "$log"
		die "packages could not be installed"
	fi
	rm -f "$log"
	pg_config=$(find_pg_config)
	[ -n "$pg_config" ] || die "no PostgreSQL with server headers was found"
}

# $work: temporary directory.  $user: who runs the server.  $bin: the copy's programs.
# $sharedir, $libdir: below $work/pg, where extensions go.
make_workdir()
{
	local bindir

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

# nanovec as extension vector; a pgvector of the machine's is not in the way in the copy
install_alias()
{
	rm -f "$work/pg$sharedir/extension"/vector{.control,--*.sql} "$work/pg$libdir/vector.so"
	make "$@" install-pgvector-alias DESTDIR="$work/pg"
}

# A real pgvector for the tests that compare with it, in a second copy of
# PostgreSQL, $work/peer.  NANOVEC_PGVECTOR says which one:
#   DIRECTORY   below it are its library, control file and scripts
#   get         what the benchmark measures, downloaded and built (bench/get-pgvector.sh)
#   none        none
# Otherwise it is the machine's, or built from what the benchmark downloaded before.
# Sets $peer_bin, or leaves it empty and says in $peer_missing why.
provide_pgvector()
{
	local choice=${NANOVEC_PGVECTOR:-} peer=$work/peer file
	local downloaded=${XDG_CACHE_HOME:-$HOME/.cache}/nanovec-peers/pgvector

	peer_bin=
	peer_missing=
	if [ -z "$choice" ]; then
		if [ -f "$sharedir/extension/vector.control" ] && ! grep -q nanovec "$sharedir/extension/vector.control"; then
			choice=$sharedir:$libdir
		elif [ -d "$downloaded" ]; then
			choice=get
		else
			choice=none
		fi
	fi

	if [ "$choice" = none ]; then
		peer_missing="there is no pgvector here"
		return
	fi
	cp -a "$work/pg" "$peer"
	rm -f "$peer$sharedir/extension"/{vector,nanovec}{.control,--*.sql} "$peer$libdir"/{vector,nanovec}.so
	if [ "$choice" = get ]; then
		"$top/bench/get-pgvector.sh" "$peer" "$pg_config" > "$work/pgvector.log" 2>&1 ||
			peer_missing="pgvector could not be built: $(tail -n 1 "$work/pgvector.log")"
	else
		IFS=: read -ra choice <<< "$choice"
		find "${choice[@]}" \( -name vector.control -o -name 'vector--*.sql' \) \
			-exec cp -t "$peer$sharedir/extension" {} +
		find "${choice[@]}" -name vector.so -exec cp -t "$peer$libdir" {} +
		[ -f "$peer$libdir/vector.so" ] && [ -f "$peer$sharedir/extension/vector.control" ] ||
			peer_missing="there is no pgvector in $NANOVEC_PGVECTOR"
	fi
	if [ -z "$peer_missing" ]; then
		# the test replaces its library
		[ "$(id -u)" -ne 0 ] || chown -R "$user" "$peer"
		peer_bin=$peer$("$pg_config" --bindir)
	fi
}

# Build in a directory of its own for each PostgreSQL and user, below build/,
# and install into the copy.
build_extension()
{
	local log=$work/build.log file
	local make_args

	built=$top/build/pg$("$pg_config" --version | sed -E 's/^PostgreSQL ([0-9]+).*/\1/')-$(id -un)
	[ -z "${test_points:-}" ] || built+=-test
	[ -z "${NANOVEC_BUILD:-}" ] || built+=-$NANOVEC_BUILD
	make_args=(-s -C "$built" PG_CONFIG="$pg_config" with_llvm=no WERROR=1
		${test_points:+TEST_POINTS=1} ${watch_make_args[@]+"${watch_make_args[@]}"})

	say "building"
	mkdir -p "$built/sql"
	# what differs, with the time of now: an older file may come, from another branch or clone
	(cd "$top" && find Makefile *.control src sql/ext sql/collections sql/shards -type f ! -name '*.o' ! -name '*.d' ! -name '*.bc') |
		while read -r file; do
			cmp -s "$top/$file" "$built/$file" || install -D -m 644 "$top/$file" "$built/$file"
		done
	# sources that are gone
	(cd "$built" && find src sql -type f \( -name '*.[ch]' -o -name '*.sql' \)) | while read -r file; do
		[ -e "$top/$file" ] || rm "$built/$file"
	done
	if ! { make "${make_args[@]}" -j"$(nproc)" all pgvector-alias &&
		make "${make_args[@]}" install DESTDIR="$work/pg" && install_alias "${make_args[@]}"; } \
		> "$log" 2>&1; then
		cat "$log"
		die "the build failed"
	fi
	# the server's user may not be able to read the source tree
	mkdir "$work/src"
	cp -a "$top/sql" "$top/expected" "$top/test" "$top/bench" "$top/demo" "$top/tools" "$top/docs" \
		"$top"/*.md "$top/META.json" "$top"/*.control "$work/src/"
	[ "$(id -u)" -ne 0 ] || chown -R "$user" "$work/src" "$work/run"
	# whoever reaches the socket is a superuser of this server
	chmod 700 "$work/run"
}
