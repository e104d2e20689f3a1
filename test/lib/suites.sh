# Sourced by run.sh: the kinds of test, and the count of what passed.

passed=0
failed=0
failures=()
not_run=()

# Count the TAP result lines of a log; name those that failed.
count_tap()
{
	local suite=$1 log=$2
	local name

	passed=$((passed + $(grep -cE '^ok\b' "$log" || true)))
	while read -r name; do
		failed=$((failed + 1))
		failures+=("$suite: $name")
	done < <(sed -nE 's/^not ok [0-9]*( - )?//p' "$log")
}

# Suites that run beside others, and their processes
beside=()
beside_pids=()

# Begin a suite that leaves one processor to others: SUITE [ARGUMENT ...]
run_beside()
{
	local suite=$1
	shift

	# transactions of others on this server would keep a new index from being used where
	# rows were updated before: beside a suite that has such tests go only those without it
	start_server
	say "$suite runs beside what follows"
	# a group of processes, which cleanup can end
	set -m
	(
		trap - EXIT
		passed=0 failed=0 failures=() not_run=() begun=$SECONDS
		"suite_$suite" "$@"
		say "$suite took $((SECONDS - begun)) seconds"
		declare -p passed failed failures not_run | sed 's/^declare \([^ ]* \)/declare \1beside_/' \
			> "$work/$suite.counts"
	) > "$work/$suite.said" 2>&1 &
	set +m
	beside+=("$suite")
	beside_pids+=($!)
}

# Wait for the suites that run beside others, say what they said, and count what they counted.
report_beside()
{
	local i suite

	for i in "${!beside[@]}"; do
		suite=${beside[i]}
		wait "${beside_pids[i]}" || true
		heading "$suite"
		cat "$work/$suite.said"
		if [ ! -s "$work/$suite.counts" ]; then
			failed=$((failed + 1))
			failures+=("$suite: it did not come to its end")
			continue
		fi
		. "$work/$suite.counts"
		passed=$((passed + beside_passed))
		failed=$((failed + beside_failed))
		failures+=(${beside_failures[@]+"${beside_failures[@]}"})
		not_run+=(${beside_not_run[@]+"${beside_not_run[@]}"})
	done
	beside=()
	beside_pids=()
}

# A suite whose runner failed without naming a test still failed.
check_runner()
{
	local suite=$1 status=$2 before=$3

	if [ "$status" -ne 0 ] && [ "$failed" -eq "$before" ]; then
		failed=$((failed + 1))
		failures+=("$suite: exit status $status")
	fi
}

# Run a command that prints TAP; print what matters of it.
run_tap()
{
	local suite=$1 status=0
	shift

	"$@" > "$work/$suite.log" 2>&1 || status=$?
	report_tap "$suite" "$status"
}

# The same of one that has run, with that status
report_tap()
{
	local suite=$1 log=$work/$1.log before=$failed status=$2

	count_tap "$suite" "$log"
	check_runner "$suite" "$status" "$before"
	! grep -q '^# NOT RUN: ' "$log" || not_run+=("$suite: $(sed -n 's/^# NOT RUN: //p' "$log")")
	if [ "$failed" -gt "$before" ]; then
		cat "$log"
	else
		grep -E '^# |# SKIP' "$log" || true
	fi
	say "$suite: $(grep -cE '^ok\b' "$log" || true) ok, $((failed - before)) failed"
}

# Kernels and other code that needs no server
suite_unit()
{
	# the variants that this CPU has, asked of the kernel and not of our own code
	local expected=scalar flags=" $(sed -n 's/^flags[^:]*: //p;T;q' /proc/cpuinfo) "

	# on a 64-bit CPU, but not for 64 bits
	[ "$(uname -m)" = x86_64 ] || flags=
	[[ $flags != *" avx2 "* ]] || expected+=" avx2"
	[[ $flags != *" avx512bw "* ]] || expected+=" avx512"
	[[ $flags != *" avx512_vnni "* ]] || expected+=" avx512_vnni"
	[[ $flags != *" avx512_vpopcntdq "* ]] || expected+=" avx512_vpopcntdq"
	export NANOVEC_EXPECT_VARIANTS=$expected
	run_tap unit make -s --no-print-directory -C "$top/test/unit" check
}

# The benchmark's arithmetic
suite_bench()
{
	run_tap bench python3 "$top/test/bench/test_stats.py"
}

# Recall beside pgvector's.  Without arguments the whole grid, which takes an
# hour; "quick" is its part in make check; other words choose cells, see test/quality.
# One data set at a time: what runs beside a VACUUM keeps it from removing rows.
suite_quality()
{
	local selection=(--cells "$*") log=$work/quality.log before=$failed status=0

	[ "$*" != quick ] || selection=(--quick)
	run_tap quality-unit python3 "$top/test/quality/test_quality.py"
	start_server
	sql -q -d postgres -c 'CREATE DATABASE nanovec_quality'
	sql -q -d nanovec_quality -c 'CREATE EXTENSION nanovec'
	NANOVEC_BIN=$bin PYTHONUNBUFFERED=1 python3 "$top/test/quality/quality.py" --host "$work/run" \
		--db nanovec_quality --tap "$log" "${selection[@]}" || status=$?
	count_tap quality "$log"
	check_runner quality "$status" "$before"
	! grep -q '^# NOT RUN: ' "$log" || not_run+=("quality: $(sed -n 's/^# NOT RUN: //p' "$log")")
	say "quality: $(grep -cE '^ok\b' "$log" || true) ok, $((failed - before)) failed"
}

# Compilers, architectures and PostgreSQL versions; consistency of files
suite_build()
{
	run_tap build env PG_CONFIG="$pg_config" WORK="$work" LIBRARY="$built/nanovec.so" "$top/test/lib/build_checks.sh"
}

# Fuzzers of the types' input functions and casts, which need no server: all, or those named
suite_fuzz()
{
	run_tap fuzz env PG_CONFIG="$pg_config" BUILD="$built-fuzz" "$top/test/fuzz/run.sh" "$@"
}

# Run pg_regress or its sister for isolation tests: SUITE PROGRAM INPUTDIR TEST ...
run_regress()
{
	local suite=$1 program=$2 input=$3 before=$failed status=0
	local out=$work/run/$suite log=$work/$suite.log
	shift 3

	start_server
	as_user mkdir -p "$out"
	as_user "$program" --bindir="$bin" --host="$work/run" --user=postgres \
		--inputdir="$input" --outputdir="$out" --dbname="nanovec_$suite" \
		--load-extension=nanovec "$@" > "$log" 2>&1 || status=$?
	# "test NAME ... ok" up to PostgreSQL 15, TAP from 16
	sed -i -E 's/^test (\S+) +\.\.\. ok.*/ok - \1/; s/^test (\S+) +\.\.\. FAILED.*/not ok - \1/' "$log"
	count_tap "$suite" "$log"
	check_runner "$suite" "$status" "$before"
	if [ "$failed" -gt "$before" ]; then
		cat "$log"
		find "$out" -name '*.diffs' -exec cat {} +
		[ ! -d "$out/results" ] || cp -r "$out/results" "$top/"
		say "what the tests printed is in results/, to compare with expected/"
	fi
	say "$suite: $(grep -cE '^ok\b' "$log" || true) ok, $((failed - before)) failed"
}

# pg_regress: all of sql/, or the tests named; first test_setup, whose functions they call
suite_regress()
{
	local tests=("$@")

	if [ ${#tests[@]} -eq 0 ]; then
		tests=($(cd "$top/sql" && ls *.sql | sed 's/\.sql$//'))
	fi
	tests=(test_setup $(printf '%s\n' "${tests[@]}" | sed '/^test_setup$/d'))
	run_regress regress "$pgxs/src/test/regress/pg_regress" "$work/src" "${tests[@]}"
}

# pg_isolation_regress: all of test/isolation/specs, or those named
suite_isolation()
{
	local tests=("$@")

	if [ ${#tests[@]} -eq 0 ]; then
		tests=($(cd "$top/test/isolation/specs" && ls *.spec | sed 's/\.spec$//'))
	fi
	run_regress isolation "$pgxs/src/test/isolation/pg_isolation_regress" \
		"$work/src/test/isolation" "${tests[@]}"
}

# Perl tests with servers of their own: all of test/t, or the files named
suite_tap()
{
	local files=("$@") file lanes names=()

	if [ ${#files[@]} -eq 0 ]; then
		files=($(cd "$top" && ls test/t/*.pl))
	fi
	[[ " ${files[*]} " != *_peer.pl\ * ]] || provide_pgvector
	# each has servers of its own, and waits for them half of the time
	lanes=$(($(nproc) < 4 ? $(nproc) : 4))
	for file in "${files[@]}"; do
		while [ "$(jobs -rp | wc -l)" -ge "$lanes" ]; do
			sleep 0.2
		done
		report_tap_files
		names+=("$(basename "$file" .pl)")
		# a group of processes, which cleanup can end
		set -m
		run_tap_file "$file" &
		set +m
	done
	while [ ${#names[@]} -gt 0 ]; do
		report_tap_files
		sleep 0.2
	done
}

# Run a file, and leave its status behind.
run_tap_file()
{
	local file=$1 name=$(basename "$1" .pl) status=0

	as_user_with_disk env PATH="$bin:$PATH" PERL5LIB="$pgxs/src/test/perl:$work/src/test/t" \
		PG_REGRESS="$pgxs/src/test/regress/pg_regress" NANOVEC_SRC="$work/src" \
		NANOVEC_PG_CONFIG="$pg_config" NANOVEC_BIN="$bin" NANOVEC_PEER_BIN="${peer_bin:-}" \
		NANOVEC_PEER_MISSING="${peer_missing:-}" TESTDIR="$work/run" TESTDATADIR="$work/run/tap" \
		TESTLOGDIR="$work/run/tap/log" perl "$work/src/$file" > "$work/$name.log" 2>&1 || status=$?
	echo "$status" > "$work/$name.status"
}

# Report the first of the files in "names", as far as they have ended.
report_tap_files()
{
	local before

	while [ ${#names[@]} -gt 0 ] && [ -s "$work/${names[0]}.status" ]; do
		before=$failed
		report_tap "${names[0]}" "$(cat "$work/${names[0]}.status")"
		if [ "$failed" -gt "$before" ]; then
			tail -n 30 "$work"/run/*/log/*"${names[0]}"* 2> /dev/null || true
		fi
		rm "$work/${names[0]}.status"
		names=("${names[@]:1}")
	done
}

# Many rows; not in make check
suite_large()
{
	suite_tap test/large/rows.pl
}

# 008_index_load for a long time: MINUTES of it, not in make check
suite_soak()
{
	NANOVEC_LOAD_SECONDS=$((${MINUTES:-60} * 60)) NANOVEC_LOAD_CLIENTS=8 suite_tap test/t/008_index_load.pl
}

# Clients, as their users write them: every language of test/clients, or files
# of it.  Each has client.sh, which defines client_files (print the examples,
# one a line), client_setup (install the packages that the lock file names,
# below $client_build) and client_run FILE (in its directory, with DATABASE_URL
# and libpq's PG* set).  An example is one test, in a database of its own that
# belongs to a plain user.
suite_clients()
{
	local wanted=" $* " directory language file name log status
	local client_build

	start_server
	let_clients_in
	for directory in "$top"/test/clients/*/; do
		language=$(basename "$directory")
		client_build=$top/build/clients-$(id -un)/$language
		mkdir -p "$client_build"
		. "$directory/client.sh"
		log=$work/clients-$language.log
		case $wanted in
			"  "|*" $language"[/\ ]*) ;;
			*) continue ;;
		esac
		say "$language: installing the clients"
		if ! (cd "$directory" && set -e && client_setup) > "$log" 2>&1; then
			tail -n 30 "$log"
			failed=$((failed + 1))
			failures+=("clients: setup of $language")
			continue
		fi
		for file in $(cd "$directory" && client_files); do
			[[ $wanted == "  " || $wanted == *" $language "* || $wanted == *" $language/$file "* ]] || continue
			name=$language/${file%.*}
			status=0
			(cd "$directory" && client_database "${name//[^a-z0-9]/_}" && client_run "$file") \
				> "$log" 2>&1 || status=$?
			if [ "$status" -eq 0 ]; then
				passed=$((passed + 1))
				say "clients: ok - $name"
			else
				failed=$((failed + 1))
				failures+=("clients: $name")
				say "clients: not ok - $name"
				tail -n 40 "$log"
			fi
		done
	done
}

# The package's wheel, from its source distribution, in $python_dist; built anew
# when something that goes into it has changed
build_wheel()
{
	local venv=$1 tree=$python_build/tree file

	mkdir -p "$tree"
	(cd "$top" && find Makefile *.control LICENSE src sql/ext sql/collections sql/shards python -type f \
		! -name '*.o' ! -name '*.d' ! -name '*.bc' ! -path '*/__pycache__/*' ! -path 'python/tests/*' \
		! -path 'python/nanovec/_engine/*' ! -path 'python/build/*' ! -path 'python/*.egg-info/*') |
		while read -r file; do
			cmp -s "$top/$file" "$tree/$file" || echo "$file"
		done > "$python_build/changed"
	if [ ! -s "$python_build/changed" ] && [ -f "$python_dist/built" ]; then
		return
	fi
	rm -rf "$tree" "$python_dist" && mkdir -p "$tree" "$python_dist" &&
		touch "$python_dist/began" &&
		(cd "$top" && cp -a --parents Makefile *.control LICENSE src sql/ext sql/collections sql/shards "$tree/") &&
		cp -a "$top/python" "$tree/" &&
		rm -rf "$tree"/python/{build,dist,*.egg-info,tests,nanovec/_engine} &&
		find "$tree" -name '*.o' -delete &&
		"$venv/bin/python" -m build --no-isolation --sdist -o "$python_dist" "$tree/python" &&
		"$venv/bin/pip" wheel --quiet --no-deps --no-build-isolation -w "$python_dist" "$python_dist"/*.tar.gz &&
		mv "$python_dist/began" "$python_dist/built"
}

# Chroma's client for JavaScript, which the tests of the HTTP server use, without the
# parts for its own server
setup_npm()
{
	local npm=$python_build/npm lock=$top/python/tests/npm/package-lock.json

	cmp -s "$lock" "$npm/installed.json" && return
	rm -rf "$npm" && mkdir -p "$npm" && cp "$top"/python/tests/npm/package*.json "$npm/" &&
		(cd "$npm" && npm ci --ignore-scripts --omit=optional --no-audit --no-fund) &&
		cp "$lock" "$npm/installed.json"
}

# The package chromadb-client, which cannot be where chromadb is
setup_thin_client()
{
	local target=$python_build/chromadb-client client=chromadb-client==$1

	[ "$(cat "$target/installed" 2> /dev/null)" = "$client" ] && return
	rm -rf "$target" && "$python_build/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps \
		--target "$target" "$client" && echo "$client" > "$target/installed"
}

# The environment of the Python tests, with all that requirements.lock names, and
# the package: installed where there is no compiler, since a wheel needs none
setup_python()
{
	local venv=$python_build/venv lock=$top/python/tests/requirements.lock

	if ! { python3 --version && cat "$lock"; } | cmp -s - "$venv/installed"; then
		rm -rf "$venv" && python3 -m venv "$venv" &&
			"$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$lock" &&
			{ python3 --version && cat "$lock"; } > "$venv/installed" || return
	fi
	setup_npm && setup_thin_client "$(sed -n 's/^chromadb==//p' "$lock")" && build_wheel "$venv" &&
		env PATH=/nonexistent "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps \
			--force-reinstall "$python_dist"/*.whl
}

# The Python package: pytest against an embedded server and the one here, ruff,
# pyright.  Arguments are pytest's.
suite_python()
{
	local python_build=$top/build/python-$(id -un) python_dist log=$work/python.log before=$failed status=0
	local bin_=$python_build/venv/bin check

	python_dist=$python_build/dist
	mkdir -p "$python_build"
	say "installing the package and what its tests need"
	if ! setup_python > "$log" 2>&1; then
		tail -n 40 "$log"
		failed=$((failed + 1))
		failures+=("python: setup")
		return
	fi
	start_server
	sql -q -d postgres -c 'CREATE DATABASE python'
	: > "$work/python.tap"
	(cd "$top/python" && env PYTHONDONTWRITEBYTECODE=1 NANOVEC_TAP="$work/python.tap" NANOVEC_SRC="$top" \
		NANOVEC_TEST_DSN="host=$work/run port=${PGPORT:-5432} user=postgres dbname=python" TMPDIR="$work" \
		NANOVEC_NPM="$python_build/npm" HYPOTHESIS_STORAGE_DIRECTORY="$work/hypothesis" \
		NANOVEC_CHROMADB_CLIENT="$python_build/chromadb-client" \
		"$bin_/pytest" -q -p no:cacheprovider --import-mode=importlib --durations=10 -n 2 --dist loadfile "$@") > "$log" 2>&1 || status=$?
	for check in "ruff check --no-cache ." "ruff format --no-cache --check ." "pyright --pythonpath $bin_/python"; do
		(cd "$top/python" && PYRIGHT_PYTHON_CACHE_DIR=$python_build/pyright "$bin_/"$check) >> "$log" 2>&1 &&
			echo "ok - ${check%% -*}" >> "$work/python.tap" || echo "not ok - ${check%% -*}" >> "$work/python.tap"
	done
	count_tap python "$work/python.tap"
	check_runner python "$status" "$before"
	! grep -q '^# NOT RUN: ' "$work/python.tap" ||
		while read -r check; do not_run+=("python: $check"); done < <(sed -n 's/^# NOT RUN: //p' "$work/python.tap")
	[ "$failed" -eq "$before" ] || tail -n 150 "$log"
	say "python: $(grep -cE '^ok\b' "$work/python.tap" || true) ok, $((failed - before)) failed"
}

# The part of README.md between its two markers
write_reference()
{
	sql -q -d postgres -c 'CREATE EXTENSION nanovec'
	sql -q -At -d postgres -f "$work/src/tools/reference.sql" > "$work/reference.md"
	sed -i -e '/^<!-- reference: /,/^<!-- end of reference -->/{
		/^<!-- reference: /{p;r '"$work/reference.md"'
		}
		/^<!-- end of reference -->/!d
	}' "$top/README.md"
}

run_demo()
{
	as_user "$bin/createdb" -h "$work/run" -U postgres demo
	sql -q -v ON_ERROR_STOP=1 -v data="$work/src/demo/packages.tsv" -d demo \
		-f "$work/src/demo/demo.sql"
}
