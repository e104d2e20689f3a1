# Sourced by test/lib/suites.sh: how Python's clients are installed and run.

client_need()
{
	need python3 python3
	python3 -c 'import ensurepip, venv' 2> /dev/null || missing+=(python3-venv)
}

client_files()
{
	ls *.py
}

client_setup()
{
	[ -x "$client_build/bin/python" ] || python3 -m venv "$client_build"
	"$client_build/bin/pip" install --quiet --no-deps -r requirements.lock
}

client_run()
{
	"$client_build/bin/python" "$1"
}
