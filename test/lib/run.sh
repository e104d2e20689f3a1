#!/usr/bin/env bash
# Run the demo or tests on a private, throw-away PostgreSQL.
#
#   test/lib/run.sh demo
#   test/lib/run.sh [unit] [bench] [build] [fuzz [TARGET ...]] [regress [TEST ...]] [isolation [SPEC ...]] [tap [FILE ...]] [clients [LANGUAGE[/FILE] ...]] [python [TEST ...]]
#   test/lib/run.sh quality [quick | WORD ...]
#   test/lib/run.sh large|soak
#   test/lib/run.sh +SUITE ... SUITE ... - SUITE ...
#   test/lib/run.sh reference
#
# A suite with a + runs beside those that follow it, up to the next - or the end.
#
# Installs the packages that are missing (as root or through sudo), builds
# the extension below build/, and installs it into a copy of the
# PostgreSQL installation under a temporary directory, so that neither the
# machine's PostgreSQL nor its databases are touched.  The server runs as an
# unprivileged user and listens on a Unix socket only.
#
# Environment:
#   PG_CONFIG      which PostgreSQL (default: the newest that is installed)
#   NANOVEC_WATCH  asan or valgrind: watch the server of regress and isolation
#   NANOVEC_BUILD  name of a build directory of its own, for another compiler or PostgreSQL
#   KEEP=1         keep the temporary directory and say where it is
#   FUZZ_SECONDS   how long each fuzzer runs (default: 5)
#   MINUTES        how long soak takes (60)
#   NANOVEC_PGVECTOR     a pgvector to compare with, see provide_pgvector in setup.sh
#   NANOVEC_LARGE_ROWS, NANOVEC_LARGE_DIMS   how many rows, of how many dimensions, large has (10000000, 4)
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
. "$here/setup.sh"
. "$here/server.sh"
. "$here/suites.sh"
. "$here/watch.sh"

[ $# -gt 0 ] || { sed -n '2,/^set /s/^# \{0,1\}//p' "$0" | sed '$d'; exit 2; }

case $1 in
	demo|reference) ;;
	*) declare -F "suite_${1#+}" > /dev/null || die "no such suite: $1 (there are unit, bench, build, fuzz, regress, isolation, tap, clients, python, quality, large, soak)" ;;
esac

# what the tests install has places where they can make it wait
[ "$1" = demo ] || [ "$1" = reference ] || test_points=1

setup_machine "$@"
make_workdir
trap cleanup EXIT
watch_prepare
build_extension

case $1 in
	demo)
		start_server
		run_demo
		exit ;;
	reference)
		start_server
		write_reference
		rm -rf "$top/docs/clients"
		"$top/tools/client_pages.sh" "$top/docs/clients"
		say "the reference in README.md and docs/clients are written"
		exit ;;
esac

while [ $# -gt 0 ]; do
	suite=$1
	shift
	if [ "$suite" = - ]; then
		report_beside
		continue
	fi
	arguments=()
	while [ $# -gt 0 ] && [ "$1" != - ] && ! declare -F "suite_${1#+}" > /dev/null; do
		arguments+=("$1")
		shift
	done
	if [[ $suite = +* ]]; then
		run_beside "${suite#+}" ${arguments[@]+"${arguments[@]}"}
		continue
	fi
	heading "$suite"
	begun=$SECONDS
	"suite_$suite" ${arguments[@]+"${arguments[@]}"}
	say "$suite took $((SECONDS - begun)) seconds"
done
report_beside

watch_report
echo
if [ "$failed" -gt 0 ]; then
	say "failed: ${failures[*]}"
fi
for reason in ${not_run[@]+"${not_run[@]}"}; do
	say "NOT RUN: $reason"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
