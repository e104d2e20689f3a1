#!/bin/bash
# get-pgvector.sh -- build pgvector, the peer the benchmarks compare with, from
# its Debian source package and install it below DESTDIR.
#
# usage: get-pgvector.sh DESTDIR [PG_CONFIG]
#
#   DESTDIR     where to install to; pg_config's directories come below it.
#               "" or / installs into the PostgreSQL that PG_CONFIG describes.
#   PG_CONFIG   the pg_config to build for (default: the one in PATH)
#
#   PGVECTOR_OPTFLAGS   pgvector's OPTFLAGS; when not set, pgvector's Makefile
#                       decides, which means -march=native on most machines.
#                       Set it to "" for a portable build.
#   PGVECTOR_SUITES     Debian suites to try in turn (default: "sid trixie")
#
# The source is kept in ${XDG_CACHE_HOME:-~/.cache}/nanovec-peers, so only the
# first run needs the network; remove that directory to get a newer version.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../tools/lib-private-apt.sh"

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
	echo "usage: ${0##*/} DESTDIR [PG_CONFIG]" >&2
	exit 2
fi
destdir=${1%/}
pg_config=${2:-pg_config}
need "$pg_config" dpkg-source make

if [ -n "$destdir" ]; then
	mkdir -p "$destdir"
	destdir=$(cd "$destdir" && pwd)
fi

# Downloads and unpacks the source package into $1, from the first suite that
# has it.
fetch_source()
{
	local source=$1 suite new=$1.new

	need apt-get
	rm -rf "$new"
	mkdir -p "$new"
	for suite in ${PGVECTOR_SUITES:-sid trixie}; do
		if private_apt_update "$suite" &&
			(cd "$new" && private_apt "$suite" apt-get source --download-only pgvector >&2); then
			dpkg-source -q --skip-patches -x "$new"/pgvector_*.dsc "$new/src" >&2
			rm -rf "$source"
			mv "$new/src" "$source"
			rm -rf "$new"
			return
		fi
	done
	die "no suite of '${PGVECTOR_SUITES:-sid trixie}' has pgvector's source"
}

source=$peers_cache/pgvector
[ -d "$source" ] || fetch_source "$source"
version=$(sed -n "s/^default_version *= *'\(.*\)'.*/\1/p" "$source/vector.control")

# Build in a copy, so that the cached source serves any PostgreSQL and flags.
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
cp -a "$source/." "$build"

make_args=(PG_CONFIG="$pg_config")
[ -z "${PGVECTOR_OPTFLAGS+set}" ] || make_args+=(OPTFLAGS="$PGVECTOR_OPTFLAGS")

# A PostgreSQL built with LLVM wants bitcode too; do without where its clang
# is not installed.
clang=$(sed -n 's/^CLANG *= *//p' "$(dirname "$("$pg_config" --pgxs)")/../Makefile.global")
[ -n "$clang" ] && command -v "$clang" >/dev/null || make_args+=(with_llvm=no)

make -s -C "$build" -j"$(nproc)" "${make_args[@]}" >&2
make -s -C "$build" "${make_args[@]}" install DESTDIR="$destdir" >&2

echo "pgvector $version (OPTFLAGS=${PGVECTOR_OPTFLAGS-its default})" \
	"installed in $destdir$("$pg_config" --pkglibdir)"
