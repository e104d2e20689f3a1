#!/usr/bin/env bash
# Run the tests that need a server on a PostgreSQL that was built with
# --enable-cassert, from the source package of the machine's own release.
#
#   test/lib/assert.sh [SUITE [TEST ...] ...]    (default: regress isolation tap)
#
# NANOVEC_WATCH=asan: with nanovec under sanitizers, too.  That needs a plain
# server: Debian's loads GnuTLS, and where that is together with the library of
# the address sanitizer, glibc's locks of the locale hang.
#
# The build takes some minutes and is kept below ~/.cache/nanovec-assert.
# PG_CONFIG says which major version; only that is asked of it.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
. "$here/setup.sh"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/nanovec-assert

# download MAJOR DIR: the upstream source of that version into DIR
download()
(
	. "$top/tools/lib-private-apt.sh"
	suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
	private_apt_update "$suite"
	mkdir -p "$2"
	cd "$2"
	private_apt "$suite" apt-get source --download-only "postgresql-$1"
	tar -xf postgresql-"$1"_*.orig.tar.* --strip-components=1
)

# A prefix that is called pgsql has its libraries and extensions side by side.
# No rpath: it will be moved.
build_postgresql()
{
	local source=$1 prefix=$2

	(cd "$source" &&
		./configure --prefix="$prefix" --enable-cassert --enable-debug --enable-tap-tests \
			--disable-rpath --without-readline --without-zlib --without-icu \
			CFLAGS='-O1 -fno-omit-frame-pointer' &&
		make -s -j"$(nproc)" &&
		make -s install &&
		make -s -C contrib/pageinspect install &&
		make -s -C contrib/pgstattuple install)
}

setup_machine tap
major=$("$pg_config" --version | sed -E 's/^PostgreSQL ([0-9]+).*/\1/')
prefix=$cache/$major/pgsql
if [ ! -e "$cache/$major/complete" ]; then
	say "building PostgreSQL $major with assertions; this takes some minutes"
	rm -rf "$cache/$major"
	mkdir -p "$cache/$major"
	if ! { download "$major" "$cache/$major/source" &&
		build_postgresql "$cache/$major/source" "$prefix" &&
		rm -rf "$cache/$major/source" &&
		touch "$cache/$major/complete"; } > "$cache/$major.log" 2>&1; then
		tail -n 30 "$cache/$major.log"
		die "PostgreSQL with assertions could not be built; all of the log is in $cache/$major.log"
	fi
fi

# where any user can read it
copy=$(mktemp -d "${TMPDIR:-/tmp}/nanovec-assert.XXXXXX")
trap 'rm -rf "$copy"' EXIT
chmod 755 "$copy"
cp -a "$prefix" "$copy/"
export LD_LIBRARY_PATH=$copy/pgsql/lib PG_CONFIG=$copy/pgsql/bin/pg_config NANOVEC_BUILD=assert
[ $# -gt 0 ] || set -- regress isolation tap
"$here/run.sh" "$@"
