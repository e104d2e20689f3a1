# Sourced by test/lib/suites.sh: how Node.js's clients are installed and run.

client_need()
{
	need node nodejs
	need npm npm
}

client_files()
{
	ls *.js
}

# Without install scripts: some packages download programs in them, which
# nothing here needs.
client_setup()
{
	cmp -s package-lock.json "$client_build/installed.json" && return
	rm -f "$client_build/installed.json" &&
		cp package.json package-lock.json "$client_build/" &&
		(cd "$client_build" && npm ci --ignore-scripts --no-audit --no-fund) &&
		cp package-lock.json "$client_build/installed.json"
}

# An import finds node_modules in the directories above the file.  Prisma shall
# not ask for news of itself.
client_run()
{
	local run=$client_build/run

	export CHECKPOINT_DISABLE=1
	rm -rf "$run" && mkdir "$run" && cp "$1" "$run/" && cd "$run" && node "$1"
}
