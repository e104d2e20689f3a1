#!/usr/bin/env bash
# Run the fuzzers, printed as TAP: for each target, its corpus and then new
# inputs that start from it.
#
#   test/fuzz/run.sh [TARGET ...]
#
# Environment:
#   PG_CONFIG      whose headers and libraries are used
#   BUILD          where the programs are built and what they find is kept
#   FUZZ_SECONDS   how long each target runs (default: 5)
#
# An input that fails stays in $BUILD/found.  When its fault is mended, the
# input belongs in corpus/TARGET.  To run a target on one input:
# $BUILD/TARGET FILE
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
export BUILD=${BUILD:-$here/build} FUZZ_SECONDS=${FUZZ_SECONDS:-5}

# run_target NAME: a line of TAP, and why if it failed
run_target()
{
	local target=$1 corpus=$here/corpus/$1 log=$BUILD/$1.log
	local files inputs

	mkdir -p "$BUILD/found" "$BUILD/grown/$target"
	files=$(find "$corpus" -type f | wc -l)
	# what it finds new is in the first directory, and the next run starts there
	if "$BUILD/$target" -max_total_time="$FUZZ_SECONDS" -timeout=60 -rss_limit_mb=2048 \
		-verbosity=0 -print_final_stats=1 -artifact_prefix="$BUILD/found/$target-" \
		"$BUILD/grown/$target" "$corpus" > "$log" 2>&1 &&
		inputs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log") &&
		[ "$files" -gt 0 ] && [ "$inputs" -ge "$files" ]; then
		echo "ok - $target"
		echo "# $target: $inputs inputs, $files of them from its corpus"
	else
		echo "not ok - $target"
		tail -n 50 "$log" | sed 's/^/# /'
	fi
}

if [ $# = 2 ] && [ "$1" = --one ]; then
	run_target "$2"
	exit
fi
if ! make -s --no-print-directory -C "$here" -j"$(nproc)" BUILD="$BUILD" > "$BUILD.log" 2>&1; then
	cat "$BUILD.log"
	echo "not ok - the fuzzers build"
	exit 1
fi
[ $# -gt 0 ] || set -- $(make -s --no-print-directory -C "$here" targets)
printf '%s\n' "$@" | xargs -P "$(nproc)" -n 1 "$0" --one > "$BUILD.tap"
cat "$BUILD.tap"
echo "1..$#"
! grep -q '^not ok' "$BUILD.tap" && [ "$(grep -c '^ok' "$BUILD.tap")" -eq $# ]
