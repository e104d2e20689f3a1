# Sourced by test/lib/suites.sh: how Go's clients are installed and run.

client_need()
{
	need go golang-go
}

client_files()
{
	ls */main.go
}

# Go downloads what is not in its module cache; go.sum pins all of it.
client_setup()
{
	export GOPATH=$client_build GOMODCACHE=$client_build/modules GOCACHE=$client_build/cache
	export GOFLAGS=-modcacherw
	newer_go && go build -buildvcs=false -o "$client_build/bin/" ./...
}

# pgvector-go wants Go 1.23.  From 1.21 on Go would fetch it by itself, but Debian 12
# has 1.19, and a machine may have forbidden it.
newer_go()
{
	local module=golang.org/toolchain@v0.0.1-go1.23.12.linux-$(go env GOARCH)
	local have=$(go env GOVERSION | sed -nE 's/^go1\.([0-9]+).*/\1/p')

	[ "${have:-99}" -lt 23 ] || return 0
	# the module cache does not keep the permission to run
	(cd / && go mod download "$module") &&
		chmod -R +x "$GOMODCACHE/$module/bin" "$GOMODCACHE/$module/pkg/tool" || return
	export GOTOOLCHAIN=local GOROOT=$GOMODCACHE/$module PATH=$GOMODCACHE/$module/bin:$PATH
}

client_run()
{
	"$client_build/bin/$(dirname "$1")"
}
