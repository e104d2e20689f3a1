# Sourced by run.sh: servers that are watched while the tests use them.
# NANOVEC_WATCH=asan: nanovec is built with the address and undefined-behaviour
# sanitizers.  NANOVEC_WATCH=valgrind: the server runs in valgrind.

# How make builds nanovec, how pg_ctl runs and what it starts
watch_make_args=()
watch_env=()
watch_start=()

watch_sanitize="-fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all"

case ${NANOVEC_WATCH:-} in
	"") ;;
	asan|valgrind) ;;
	*) die "NANOVEC_WATCH is asan or valgrind" ;;
esac

# After make_workdir
watch_prepare()
{
	case ${NANOVEC_WATCH:-} in
		asan)
			NANOVEC_BUILD=${NANOVEC_BUILD:+$NANOVEC_BUILD-}asan
			# warnings that the sanitizers' own code brings are not errors
			watch_make_args=(WERROR= COPT="-O1 -g -fno-omit-frame-pointer $watch_sanitize")
			# a backend leaves its memory to the system when it ends
			watch_env=(LD_PRELOAD="$(gcc -print-file-name=libasan.so)"
				ASAN_OPTIONS="detect_leaks=0:abort_on_error=1:log_path=$work/run/watch"
				UBSAN_OPTIONS="print_stacktrace=1:abort_on_error=1:log_path=$work/run/watch") ;;
		valgrind)
			cat > "$work/valgrind-postgres" <<-SCRIPT
				#!/bin/sh
				exec valgrind --quiet --trace-children=yes --leak-check=no --num-callers=30 \\
					--log-file='$work/run/watch.%p' --suppressions='$top/test/lib/valgrind.supp' \\
					'$bin/postgres' "\$@"
			SCRIPT
			chmod 755 "$work/valgrind-postgres"
			watch_start=(-p "$work/valgrind-postgres" -t 600) ;;
	esac
}

# After the suites: one test, that nothing was found
watch_report()
{
	local reports

	[ -n "${NANOVEC_WATCH:-}" ] || return 0
	as_user "$bin/pg_ctl" -D "$work/run/data" -m fast -w -t 600 stop > /dev/null
	server_running=
	reports=$(find "$work/run" -maxdepth 1 -name 'watch.*' -size +0)
	if [ -n "$reports" ]; then
		cat $reports
		failed=$((failed + 1))
		failures+=("$NANOVEC_WATCH: it reported faults")
	else
		passed=$((passed + 1))
		say "$NANOVEC_WATCH: nothing was found"
	fi
}
