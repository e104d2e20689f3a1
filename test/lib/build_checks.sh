#!/usr/bin/env bash
# Checks of how the source builds, printed as TAP.  Needs PG_CONFIG, the
# built LIBRARY and a scratch directory WORK, as run.sh gives them.
set -uo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top"
objects=$WORK/objects
mkdir -p "$objects"
count=0
bad=0

# report NAME: ok if the last command succeeded; its output is in $WORK/out
report()
{
	local status=$? name=$1

	count=$((count + 1))
	if [ "$status" -eq 0 ]; then
		echo "ok $count - $name"
	else
		echo "not ok $count - $name"
		sed 's/^/# /' "$WORK/out"
		bad=1
	fi
}

# compile COMPILER INCLUDEDIR FILE...: all warnings are errors, PostgreSQL's headers exempt
compile()
{
	local cc=$1 include=$2
	shift 2
	printf '%s\0' "$@" | xargs -0 -P "$(nproc)" -I{} sh -c '
		"$0" -std=gnu11 -O2 -fPIC -fvisibility=hidden -fno-strict-aliasing -fwrapv \
			-Wall -Wextra -Wno-unused-parameter -Werror -Wdeclaration-after-statement -Wmissing-prototypes \
			-Wpointer-arith -Wvla -DNANOVEC_VERSION="\"check\"" -Isrc -isystem "$1" \
			-c "$2" -o "$3/$(basename "$2").o"' "$cc" "$include" {} "$objects"
}

sources=(src/*.c src/*/*.c)
kernels=(src/simd/*.c)
include=$("$PG_CONFIG" --includedir-server)
major=$("$PG_CONFIG" --version | sed -E 's/^PostgreSQL ([0-9]+).*/\1/')

for cc in gcc clang; do
	compile "$cc" "$include" "${sources[@]}" > "$WORK/out" 2>&1
	report "$cc -Wall -Wextra -Werror, PostgreSQL $major"
done

# Other versions, where their headers are at hand (tools/get-pg-headers.sh fetches them).
for headers in ${NANOVEC_PG_HEADERS:-}; do
	compile gcc "$headers" "${sources[@]}" > "$WORK/out" 2>&1
	report "gcc -Wall -Wextra -Werror, headers of PostgreSQL $(sed -nE 's/^#define PG_MAJORVERSION "(.*)"/\1/p' "$headers/pg_config.h")"
done

# NEON: compile, and run the kernel tests under emulation
if command -v aarch64-linux-gnu-gcc > /dev/null; then
	compile aarch64-linux-gnu-gcc /nonexistent "${kernels[@]}" > "$WORK/out" 2>&1
	report "kernels compile for 64-bit ARM"
	if command -v qemu-aarch64 > /dev/null; then
		make -s --no-print-directory -C test/unit check-arm > "$WORK/out" 2>&1
		report "kernel tests pass on emulated 64-bit ARM"
	else
		echo "# 64-bit ARM: compiled only, there is no qemu-aarch64 here"
	fi
else
	echo "# 64-bit ARM: not compiled, there is no aarch64-linux-gnu-gcc here"
fi

nm -D --defined-only "$LIBRARY" | awk '{print $3}' |
	grep -vE '^(_PG_init|Pg_magic_func|pg_finfo_.*|hnsw_build_worker|nv_team_worker)$' | sort > "$WORK/exported"
nm -D --defined-only "$LIBRARY" | sed -nE 's/.* pg_finfo_(.*)/\1/p' | sort > "$WORK/functions"
diff "$WORK/functions" "$WORK/exported" > "$WORK/out" 2>&1
report "the library exports SQL functions, the entries of workers, and nothing else"

{
	grep -lE 'PG_VERSION_NUM' -r src | grep -v '^src/nv_compat.h$'
	grep -n 'march=native' Makefile src -r | grep -v 'No -march=native'
	printf '%s\n' "${sources[@]##*/}" | sort | uniq -d
} > "$WORK/out"
[ ! -s "$WORK/out" ]
report "one file knows versions, nothing is built for one CPU, basenames are unique"

find src -name '*.[ch]' -exec awk '
	{ line = $0; gsub(/\t/, "    ", line) }
	length(line) > 110 { print FILENAME ":" FNR ": " length(line) " columns" }' {} + > "$WORK/out"
[ ! -s "$WORK/out" ]
report "no line is far over 100 columns"

# A function starts at a brace in the first column and ends at the next such brace.
find src -name '*.c' -exec awk '
	/^\{/ { start = FNR }
	/^\}/ && start { if (FNR - start > 120) print FILENAME ":" start ": " FNR - start " lines"; start = 0 }' \
	{} + > "$WORK/out"
[ ! -s "$WORK/out" ]
report "no function is over 120 lines"

echo "1..$count"
exit "$bad"
