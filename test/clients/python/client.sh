# Sourced by test/lib/suites.sh: how Python's clients are installed and run.
#
# requirements.lock has every package of an environment with all clients ("pip
# freeze", and setuptools).  langchain-postgres wants an older pgvector than pip
# installs for the others; langchain.lock names it, and the LangChain example
# finds it first.

client_need()
{
	need python3 python3
	python3 -c 'import ensurepip, venv' 2> /dev/null || missing+=(python3-venv)
}

client_files()
{
	ls *.py
}

# what the installed packages depend on
client_wanted()
{
	python3 --version && cat requirements.lock langchain.lock
}

client_setup()
{
	local pip=$client_build/bin/pip

	if client_wanted | cmp -s - "$client_build/installed"; then
		return
	fi
	rm -rf "$client_build" && python3 -m venv "$client_build" &&
		"$pip" install --quiet --no-deps -r requirements.lock &&
		"$pip" install --quiet --no-deps --target "$client_build/langchain" -r langchain.lock &&
		client_wanted > "$client_build/installed"
}

client_run()
{
	local path=

	case $1 in
		langchain*) path=$client_build/langchain ;;
	esac
	PYTHONPATH=$path "$client_build/bin/python" "$1"
}
